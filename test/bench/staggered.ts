import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, withDrivers } from './context.ts';
import { alone, type Row } from './measure.ts';
import { msOf, post, type Sample, warmOf } from './post.ts';
import { settled } from './settled.ts';
import { shell } from './subjects.ts';

/** One run each 200 ms, as the public benchmarks of sandboxes let them arrive. */
export function staggered(context: Context): Promise<Row[]> {
  const count = Math.min(100, Math.ceil(2.5 * context.rounds));
  return withDrivers(context, {}, async (driven) => {
    const rows: Row[] = [];
    for (const { driver, runlet } of driven) {
      context.say(`staggered, ${driver} …`);
      // A second of them: the pool has seen some.
      for (let i = 0; i < 5; i += 1) await post(runlet, shell.request);
      await settled(context, driven);
      const staggered: Promise<Sample>[] = [];
      for (let i = 0; i < count; i += 1) {
        staggered.push(post(runlet, shell.request));
        await sleep(200);
      }
      const samples = await Promise.all(staggered);
      const what = `${driver}: ${shell.name}, ${count} runs 200 ms apart (${warmOf(samples)})`;
      rows.push(alone(what, msOf(samples), 'p99 ≤ 30 ms'));
    }
    return rows;
  });
}
