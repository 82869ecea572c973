import { type Context, withRunlet } from './context.ts';
import { alone, compared, type Row, throughput, timed } from './measure.ts';
import { shell } from './subjects.ts';

/** More than the pool can give: lanes that never pause, against the raw Engine creating, starting and removing. */
export function sustained(context: Context): Promise<Row[]> {
  const { raw, rounds, say } = context;
  return withRunlet(context, {}, async (runlet) => {
    const rows: Row[] = [];
    for (const lanes of [1, 4, 16]) {
      say(`sustained, ${lanes} at a time …`);
      const calls = Math.max(lanes, rounds);
      const took: number[] = [];
      // What the pool holds at first would flatter us: it is used up before the clock runs.
      await throughput(lanes, Math.max(lanes, Math.min(40, 2 * rounds)), () => runlet.run(shell.request));
      const mine = await throughput(lanes, calls, async () => {
        took.push(await timed(() => runlet.run(shell.request)));
      });
      await raw.calm();
      const peer = await throughput(lanes, calls, async () => raw.remove(await raw.run('hello-world')));
      const what = `sustained ${shell.name}, ${lanes} at a time`;
      rows.push(
        compared(`${what}, vs raw create+start+remove`, [mine, peer], '/s', '≥ 0.90'),
        alone(what, took),
      );
    }
    return rows;
  });
}
