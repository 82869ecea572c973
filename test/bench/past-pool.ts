import { type Context, withoutPool, withRunlet } from './context.ts';
import { alone, compared, percentile, type Row } from './measure.ts';
import { post } from './post.ts';

const request = { image: 'busybox', command: ['sh', '-c', 'echo hi'] };

/**
 * What a run costs that finds the pool empty: the pool's own work, to fill up again, falls into the same time. One after
 * another without a pause, so that it is empty; beside the same where there is no pool.
 */
export async function pastPool(context: Context): Promise<Row[]> {
  const on: number[] = [];
  const off: number[] = [];
  const turns = context.rounds < 10 ? 1 : 3;
  const wanted = Math.max(5, Math.ceil(context.rounds / turns));
  for (let turn = 0; turn < turns; turn += 1) {
    await withRunlet(context, withoutPool, async (runlet) => {
      for (let i = 0; i < 3; i += 1) await post(runlet, request);
      for (let i = 0; i < wanted; i += 1) off.push((await post(runlet, request)).ms);
    });
    await withRunlet(context, {}, async (runlet) => {
      for (let i = 0; i < 3; i += 1) await post(runlet, request);
      await context.raw.calm();
      // A pool that keeps up has no such runs to show: it is not waited for without end.
      for (let i = 0, found = 0; i < 8 * wanted && found < wanted; i += 1) {
        const { ms, run } = await post(runlet, request);
        if (run.startedWarm) continue;
        on.push(ms);
        found += 1;
      }
    });
  }
  const what = `past the pool: sh (busybox), one after another, ${on.length} runs that it had nothing for`;
  return [
    alone(what, on),
    compared(
      `${what}, p95, vs ${off.length} without a pool`,
      [percentile(on, 0.95), percentile(off, 0.95)],
      'ms',
      '≤ 1.20',
    ),
  ];
}
