import { readFile } from 'node:fs/promises';
import { type Context, withoutPool, withRunlet } from './context.ts';
import { compared, type Row } from './measure.ts';

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

/** The worker's memory while programs write without end, against its memory while they write nothing. */
export function memory(context: Context): Promise<Row[]> {
  return withRunlet(context, withoutPool, async (runlet) => {
    const pid = runlet.workers[0]?.pid ?? 0;
    const peakDuring = async (request: Record<string, unknown>, times: number) => {
      let peak = 0;
      const timer = setInterval(async () => {
        peak = Math.max(peak, await residentMiB(pid).catch(() => 0));
      }, 20);
      for (let i = 0; i < times; i += 1) {
        const run = await runlet.run(request);
        if (request.limits && run.status !== 'output_limit')
          throw new Error(`expected output_limit, got ${run.status}`);
      }
      clearInterval(timer);
      return peak;
    };
    const times = Math.min(20, context.rounds);
    const few = Math.ceil(times / 4);
    const yes = (outputBytes: number) => ({ image: 'busybox', command: ['yes'], limits: { outputBytes } });
    const silent = await peakDuring({ image: 'busybox', command: ['sleep', '1'] }, few);
    const small = await peakDuring(yes(1024 * 1024), times);
    const large = await peakDuring(yes(16 * 1024 * 1024), few);
    const row = (what: string, peak: number) =>
      compared(`worker’s peak memory, ${what}, vs silent runs`, [peak, silent], 'MiB', 'flat');
    return [row(`${times} × \`yes\` to 1 MiB`, small), row(`${few} × \`yes\` to 16 MiB`, large)];
  });
}
