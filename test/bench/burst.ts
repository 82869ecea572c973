import { type Context, withDrivers } from './context.ts';
import { alone, amount, type Row, timed } from './measure.ts';
import { msOf, post, type Sample, warmOf } from './post.ts';
import { settled } from './settled.ts';
import { shell } from './subjects.ts';

/** A hundred runs at once: what each takes, and until when all are done. Once out of the blue, and once more, when that has been seen. */
export function burst(context: Context): Promise<Row[]> {
  const count = Math.min(100, Math.ceil(2.5 * context.rounds));
  return withDrivers(context, {}, async (driven) => {
    const rows: Row[] = [];
    for (const { driver, runlet } of driven) {
      context.say(`burst, ${driver} …`);
      for (let i = 0; i < 5; i += 1) await post(runlet, shell.request);
      for (const time of ['the first time', 'the second time']) {
        await settled(context, driven);
        let samples: Sample[] = [];
        const ms = await timed(async () => {
          samples = await Promise.all(Array.from({ length: count }, () => post(runlet, shell.request)));
        });
        const what = `${driver}: ${shell.name}, ${count} runs at once, ${time}`;
        rows.push(
          amount(`${what}, until all are done`, ms, 'ms', '≤ 2000 ms for 100'),
          alone(`${what} (${warmOf(samples)})`, msOf(samples)),
        );
      }
    }
    return rows;
  });
}
