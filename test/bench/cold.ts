import type { Runlet } from '../support/runlet.ts';
import { type Context, withoutPool, withRunlet } from './context.ts';
import { compared, median, percentile, type Row, throughput, timed, timedDocker } from './measure.ts';

const image = 'hello-world';

/** What a run costs that nothing was made ready for: the pool is off. */
export function cold(context: Context): Promise<Row[]> {
  return withRunlet(context, withoutPool, async (runlet) => {
    for (let i = 0; i < Math.min(5, context.rounds); i += 1) await once(runlet);
    const rows = await latency(context, runlet);
    for (const lanes of [1, 4, 16]) {
      context.say(`cold, ${lanes} at a time …`);
      rows.push(await sideBySide(context, runlet, lanes));
    }
    return rows;
  });
}

async function once(runlet: Runlet): Promise<void> {
  const ended = await runlet.run({ image });
  if (ended.status !== 'succeeded') throw new Error(`run: ${JSON.stringify(ended.error)}`);
}

/** Over HTTP against the bare Engine API and `docker run`, turn by turn in the same minutes. */
async function latency({ raw, lab, rounds }: Context, runlet: Runlet): Promise<Row[]> {
  const ours: number[] = [];
  const bare: number[] = [];
  const docker: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await timed(() => once(runlet)));
    await raw.drained();
    let id = '';
    bare.push(
      await timed(async () => {
        id = await raw.run(image);
      }),
    );
    await raw.remove(id);
    if (round % 3 === 0) docker.push(await timedDocker(lab.dockerHost, [image]));
  }
  const row = (share: number, peer: number[], name: string, goal: string) =>
    compared(
      `cold ${image} p${share * 100}, vs ${name}`,
      [percentile(ours, share), percentile(peer, share)],
      'ms',
      goal,
    );
  return [
    row(0.5, bare, 'raw Engine API', '≤ 1.15'),
    row(0.95, bare, 'raw Engine API', ''),
    row(0.99, bare, 'raw Engine API', ''),
    row(0.5, docker, 'docker run --rm', '< 1'),
  ];
}

/** Runs per second, removal included, against the bare Engine API doing the same. */
async function sideBySide({ raw, rounds }: Context, runlet: Runlet, lanes: number): Promise<Row> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const calls = Math.max(lanes, rounds);
  for (let turn = 0; turn < (rounds < 10 ? 1 : 3); turn += 1) {
    ours.push(await throughput(lanes, calls, () => once(runlet)));
    await raw.drained();
    theirs.push(await throughput(lanes, calls, async () => raw.remove(await raw.run(image))));
  }
  return compared(
    `cold ${image}, ${lanes} at a time, vs raw Engine API`,
    [median(ours), median(theirs)],
    '/s',
    lanes === 4 ? '≥ 0.90' : '',
  );
}
