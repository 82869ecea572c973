import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, withRunlet } from './context.ts';
import { alone, type Row } from './measure.ts';
import { post, type Sample, warmOf } from './post.ts';
import { shell } from './subjects.ts';

/** The three ways in which the public sandbox benchmarks let runs arrive: one by one, one each 200 ms, a hundred at once. */
export function arrivals(context: Context): Promise<Row[]> {
  const { raw, rounds, say } = context;
  const count = Math.min(100, Math.ceil(2.5 * rounds));
  return withRunlet(context, {}, async (runlet) => {
    const rows: Row[] = [];
    const add = (what: string, samples: Sample[]) =>
      rows.push(
        alone(
          `${shell.name}, ${count} runs ${what} (${warmOf(samples)})`,
          samples.map(({ ms }) => ms),
        ),
      );
    const one = () => post(runlet, shell.request);
    // A second of them: the pool has seen some.
    for (let i = 0; i < 5; i += 1) await one();

    say('arrivals: one after another …');
    await raw.calm();
    const sequential: Sample[] = [];
    for (let i = 0; i < count; i += 1) sequential.push(await one());
    add('one after another', sequential);

    say('arrivals: each 200 ms …');
    await raw.calm();
    const staggered: Promise<Sample>[] = [];
    for (let i = 0; i < count; i += 1) {
      staggered.push(one());
      await sleep(200);
    }
    add('200 ms apart', await Promise.all(staggered));

    say('arrivals: all at once …');
    await raw.calm();
    add('at once', await Promise.all(Array.from({ length: count }, one)));
    return rows;
  });
}
