import type { Runlet } from '../support/runlet.ts';
import { type Context, withoutPool, withRunlet } from './context.ts';
import { alone, compared, median, type Row, timed, timedDocker } from './measure.ts';
import { post } from './post.ts';
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
  const rows = await withRunlet(few, withoutPool, (runlet) => cold(few, runlet));
  context.say('gVisor, warm …');
  return [...rows, ...(await withRunlet(few, {}, (runlet) => warmLatency(few, runlet, subject)))];
}

async function cold({ raw, lab, rounds }: Context, runlet: Runlet): Promise<Row[]> {
  const ours: number[] = [];
  const bare: number[] = [];
  const docker: number[] = [];
  await post(runlet, subject.request);
  for (let round = 0; round < rounds; round += 1) {
    await raw.drained();
    ours.push((await post(runlet, subject.request)).ms);
    await raw.drained();
    let id = '';
    bare.push(
      await timed(async () => {
        id = await raw.run('hello-world', runtime);
      }),
    );
    await raw.remove(id);
    docker.push(await timedDocker(lab.dockerHost, subject.docker));
  }
  const what = `cold ${subject.name}`;
  return [
    alone(what, ours),
    compared(`${what} p50, vs raw Engine API (hello-world)`, [median(ours), median(bare)], 'ms', '≤ 1.15'),
    compared(`${what} p50, vs docker run --runtime runsc`, [median(ours), median(docker)], 'ms', '< 1'),
  ];
}
