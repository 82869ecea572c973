import { nameOf } from './contenders.ts';
import type { Driven } from './context.ts';
import type { CpuTimes } from './cpu.ts';
import { amount, compared, type Row } from './measure.ts';
import type { Measured } from './measured.ts';
import type { Subject } from './subjects.ts';

type Source = { driver: string; cpu: CpuTimes; calls: number; machineMs: number };

/** CPU time of one run by process: of one driver alone, or of the first beside each other one. Then the machine’s, beside the peers’. */
export function cpuRows(
  driven: Driven[],
  subject: Subject,
  lanes: number,
  found: Map<string, Measured>,
): Row[] {
  const sources = driven.flatMap(({ driver }): Source[] => {
    const { cpu, cpuCalls, machineMs } = found.get(nameOf(driver)) ?? {};
    return cpu && cpuCalls && machineMs !== undefined ? [{ driver, cpu, calls: cpuCalls, machineMs }] : [];
  });
  const [first, ...others] = sources;
  if (first === undefined) return [];
  const what = `CPU a run, ${subject.name}, ${lanes} at a time`;
  const row = (label: string, of: (source: Source) => number, goal = ''): Row[] => {
    const each = (source: Source) => of(source) / source.calls;
    if (others.length === 0) return [amount(`${first.driver}: ${what}: ${label}`, each(first), 'ms', goal)];
    return others.map((other) =>
      compared(
        `${first.driver} vs ${other.driver}: ${what}: ${label}`,
        [each(first), each(other)],
        'ms',
        goal,
      ),
    );
  };
  const ours = ({ cpu }: Source) => cpu.gateway + cpu.worker + cpu.Redis;
  const peers = [...found].filter(([name]) => !name.startsWith(nameOf('')));
  return [
    ...(Object.keys(first.cpu) as (keyof CpuTimes)[]).flatMap((part) =>
      row(part, ({ cpu }) => cpu[part] ?? 0),
    ),
    ...row('gateway + worker + Redis', ours, '≤ 6 ms'),
    ...sources.flatMap(({ driver, machineMs, calls }) =>
      peers.map(([name, peer]) =>
        compared(
          `${driver}: ${what}: the whole machine, vs ${name}`,
          [machineMs / calls, peer.machineMs / peer.cpuCalls],
          'ms',
        ),
      ),
    ),
  ];
}
