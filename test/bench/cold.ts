import type { Runlet } from '../support/runlet.ts';
import { type Context, type Driven, withDrivers, withoutPool } from './context.ts';
import { timedDocker } from './docker-run.ts';
import type { Driver } from './drivers.ts';
import { compared, median, percentile, type Row, throughput, timed } from './measure.ts';
import { drained } from './settled.ts';
import { subjects } from './subjects.ts';

const image = 'hello-world';

/** What a run costs that nothing was made ready for: the pool is off. */
export async function cold(context: Context): Promise<Row[]> {
  const bash = (await subjects(context)).find(({ name }) => name === 'bash');
  const wanted: Wanted[] = [
    { name: image, request: { image } },
    ...(bash === undefined ? [] : [{ name: bash.name, request: bash.request }]),
  ];
  return withDrivers(context, withoutPool, async (driven) => {
    for (const { runlet } of driven)
      for (const { request } of wanted)
        for (let i = 0; i < Math.min(5, context.rounds); i += 1) await once(runlet, request);
    const rows = await latency(context, driven, wanted);
    for (const lanes of [1, 4, 16]) {
      context.say(`cold, ${lanes} at a time …`);
      rows.push(...(await sideBySide(context, driven, lanes)));
    }
    return rows;
  });
}

type Wanted = { name: string; request: Record<string, unknown> };

async function once(runlet: Runlet, request: Record<string, unknown> = { image }): Promise<void> {
  const ended = await runlet.run(request);
  if (ended.status !== 'succeeded') throw new Error(`run: ${JSON.stringify(ended.error)}`);
}

/** The Engine’s own driver cannot be faster than the Engine. */
const goalOf = (driver: Driver) => (driver === 'engine' ? '≤ 1.15' : '≤ 0.20');

/** Over HTTP against the bare Engine API and `docker run`, turn by turn in the same minutes. */
async function latency(context: Context, driven: Driven[], wanted: Wanted[]): Promise<Row[]> {
  const { raw, lab, rounds } = context;
  const ours = driven.map(() => wanted.map((): number[] => []));
  const bare: number[] = [];
  const docker: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, { runlet }] of driven.entries())
      for (const [j, { request }] of wanted.entries()) {
        ours[i]?.[j]?.push(await timed(() => once(runlet, request)));
        await drained(context, runlet);
      }
    let id = '';
    bare.push(
      await timed(async () => {
        id = await raw.run(image);
      }),
    );
    await raw.remove(id);
    if (round % 3 === 0) docker.push(await timedDocker(lab.dockerHost, [image]));
  }
  return driven.flatMap(({ driver }, i) =>
    wanted.flatMap(({ name }, j) => {
      const mine = ours[i]?.[j] ?? [];
      const row = (share: number, peer: number[], peerName: string, goal: string) =>
        compared(
          `${driver}: cold ${name} p${share * 100}, vs ${peerName}`,
          [percentile(mine, share), percentile(peer, share)],
          'ms',
          goal,
        );
      return [
        row(0.5, bare, 'raw Engine API', goalOf(driver)),
        ...(name === image ? [0.95, 0.99].map((share) => row(share, bare, 'raw Engine API', '')) : []),
        row(0.5, docker, 'docker run --rm', '< 1'),
      ];
    }),
  );
}

/** Runs per second, removal included, against the bare Engine API doing the same. */
async function sideBySide(context: Context, driven: Driven[], lanes: number): Promise<Row[]> {
  const { raw, rounds } = context;
  const ours = driven.map((): number[] => []);
  const theirs: number[] = [];
  const calls = Math.max(lanes, rounds);
  for (let turn = 0; turn < (rounds < 10 ? 1 : 3); turn += 1) {
    for (const [i, { runlet }] of driven.entries()) {
      ours[i]?.push(await throughput(lanes, calls, () => once(runlet)));
      await drained(context, runlet);
    }
    theirs.push(await throughput(lanes, calls, async () => raw.remove(await raw.run(image))));
  }
  return driven.map(({ driver }, i) =>
    compared(
      `${driver}: cold ${image}, ${lanes} at a time, vs raw Engine API`,
      [median(ours[i] ?? []), median(theirs)],
      '/s',
      driver === 'engine' && lanes === 4 ? '≥ 0.90' : '',
    ),
  );
}
