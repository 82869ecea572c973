import { type Context, type Driven, withDrivers } from './context.ts';
import { timedDocker } from './docker-run.ts';
import { alone, compared, median, type Row, throughput } from './measure.ts';
import { msOf, post, type Sample, warmOf } from './post.ts';
import { settled } from './settled.ts';
import { timedProcess } from './spawner.ts';
import { type Subject, shell, subjects } from './subjects.ts';

/**
 * Until V8 has compiled the way of a run, and no first request's work is left: a server lives for days. Measured on two cores, p50 after
 * 200, 800 and 1600 runs: hello-world 5.9, 5.1, 4.9 ms; bash 6.3, 5.3, 5.6.
 */
const runsBefore = 800;

export async function warm(context: Context): Promise<Row[]> {
  const all = await subjects(context);
  return withDrivers(context, {}, async (driven) => {
    const rows: Row[] = [];
    const before = Math.min(runsBefore, 20 * context.rounds);
    for (const { driver, runlet } of driven) {
      context.say(`warm, ${driver}: ${before} runs that are not counted …`);
      await throughput(4, before, () => post(runlet, shell.request));
    }
    for (const subject of all) {
      context.say(`warm ${subject.name} …`);
      rows.push(...(await warmLatency(context, driven, subject)));
    }
    return rows;
  });
}

/** One at a time, in batches that the pool can serve, with the peers turn by turn in the same minutes. */
export async function warmLatency(context: Context, driven: Driven[], subject: Subject): Promise<Row[]> {
  const { lab, raw, rounds } = context;
  const batch = Math.min(8, rounds);
  const ours = driven.map((): Sample[] => []);
  const docker: number[] = [];
  const bare: number[] = [];
  // Twice at once: the pool makes as many ready as were wanted.
  for (const { runlet } of driven)
    for (let i = 0; i < 2; i += 1)
      await Promise.all(Array.from({ length: batch }, () => post(runlet, subject.request)));
  for (let round = 0; round < rounds; round += batch) {
    for (const [i, { runlet }] of driven.entries()) {
      await settled(context, driven);
      for (let n = 0; n < batch; n += 1) ours[i]?.push(await post(runlet, subject.request));
    }
    await raw.calm();
    for (let i = 0; i < batch && subject.bare !== undefined; i += 1)
      bare.push((await timedProcess(subject.bare)).ms);
    for (let i = 0; i < 2; i += 1) docker.push(await timedDocker(lab.dockerHost, subject.docker));
  }
  return driven.flatMap(({ driver }, i) =>
    rowsOf(`${driver}: warm ${subject.name}`, subject.goal, ours[i] ?? [], docker, bare),
  );
}

function rowsOf(what: string, goal: string, ours: Sample[], docker: number[], bare: number[]): Row[] {
  const took = msOf(ours);
  const mine = median(took);
  const peer = median(bare);
  return [
    alone(`${what} (${warmOf(ours)})`, took, goal),
    compared(`${what} p50, vs docker run --rm --network none`, [mine, median(docker)], 'ms', '≤ 0.025'),
    ...(bare.length === 0
      ? []
      : [
          compared(
            `${what} p50, vs the bare process (ms more: ${(mine - peer).toFixed(1)})`,
            [mine, peer],
            'ms',
            'bare + 6 ms',
          ),
        ]),
  ];
}
