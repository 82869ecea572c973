import { type Context, type Driven, withDrivers, withoutPool } from './context.ts';
import { timedDocker } from './docker-run.ts';
import { alone, compared, median, type Row, timed } from './measure.ts';
import { msOf, post, type Sample } from './post.ts';
import { drained } from './settled.ts';
import { type Subject, shell } from './subjects.ts';
import { warmLatency } from './warm.ts';

const runtime = 'runsc';
const subject: Subject = {
  name: 'gVisor sh (busybox)',
  request: { ...shell.request, isolation: 'gvisor' },
  docker: ['--runtime', runtime, ...shell.docker],
  goal: '',
};

/** The same under gVisor, each against its own kind. */
export async function gvisor(context: Context): Promise<Row[]> {
  if (!context.lab.gvisor) {
    context.say('without gVisor: the Engine has no runtime runsc');
    return [];
  }
  const few = { ...context, rounds: Math.ceil(context.rounds / 2) };
  context.say('gVisor, cold …');
  const rows = await withDrivers(few, withoutPool, (driven) => cold(few, driven));
  context.say('gVisor, warm …');
  return [...rows, ...(await withDrivers(few, {}, (driven) => warmLatency(few, driven, subject)))];
}

async function cold(context: Context, driven: Driven[]): Promise<Row[]> {
  const { raw, lab, rounds } = context;
  const ours = driven.map((): Sample[] => []);
  const bare: number[] = [];
  const docker: number[] = [];
  for (const { runlet } of driven) {
    await post(runlet, subject.request);
    await drained(context, runlet);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, { runlet }] of driven.entries()) {
      ours[i]?.push(await post(runlet, subject.request));
      await drained(context, runlet);
    }
    let id = '';
    bare.push(
      await timed(async () => {
        id = await raw.run('hello-world', runtime);
      }),
    );
    await raw.remove(id);
    docker.push(await timedDocker(lab.dockerHost, subject.docker));
  }
  return driven.flatMap(({ driver }, i) => {
    const what = `${driver}: cold ${subject.name}`;
    const took = msOf(ours[i] ?? []);
    const [mine, raw] = [median(took), median(bare)];
    return [
      alone(what, took),
      compared(`${what} p50, vs raw Engine API (hello-world)`, [mine, raw], 'ms', '≤ 1.15'),
      compared(`${what} p50, vs docker run --runtime runsc`, [mine, median(docker)], 'ms', '< 1'),
    ];
  });
}
