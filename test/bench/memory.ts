import { readFile } from 'node:fs/promises';
import type { Runlet } from '../support/runlet.ts';
import type { Row } from './measure.ts';

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

/** The worker's memory while programs write without end, against its memory while they write nothing. */
export async function outputMemory(runlet: Runlet, workerPid: number): Promise<Row[]> {
  const peakDuring = async (request: Record<string, unknown>, times: number) => {
    let peak = 0;
    const timer = setInterval(async () => {
      peak = Math.max(peak, await residentMiB(workerPid).catch(() => 0));
    }, 20);
    for (let i = 0; i < times; i += 1) {
      const run = await runlet.run(request);
      if (request.limits && run.status !== 'output_limit')
        throw new Error(`expected output_limit, got ${run.status}`);
    }
    clearInterval(timer);
    return peak;
  };
  const silent = await peakDuring({ image: 'busybox', command: ['sleep', '1'] }, 5);
  const limits = { outputBytes: 1024 * 1024 };
  const yes = await peakDuring({ image: 'busybox', command: ['yes'], limits }, 20);
  const large = await peakDuring(
    { image: 'busybox', command: ['yes'], limits: { outputBytes: 16 * 1024 * 1024 } },
    5,
  );
  const row = (what: string, peak: number): Row => ({
    what,
    runlet: `${peak.toFixed(0)} MiB`,
    peer: `${silent.toFixed(0)} MiB`,
    ratio: (peak / silent).toFixed(2),
    goal: 'flat',
  });
  return [
    row('worker’s peak memory, 20 × `yes` to 1 MiB, vs silent runs', yes),
    row('worker’s peak memory, 5 × `yes` to 16 MiB, vs silent runs', large),
  ];
}
