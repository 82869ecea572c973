import { z } from 'zod';
import type { Run } from '../../shared/contracts/run.ts';
import type { Runlet } from '../support/runlet.ts';
import type { Context, Driven } from './context.ts';
import { cpuAccount } from './cpu.ts';
import { dockerInLanes } from './docker-run.ts';
import type { Driver } from './drivers.ts';
import { ask } from './http-json.ts';
import { inLanes, type Tally } from './measure.ts';
import type { Measured } from './measured.ts';
import type { Peer } from './peers.ts';
import { machineBusyMs } from './process-tree.ts';
import type { Program } from './servers.ts';
import { settled } from './settled.ts';
import { processesInLanes } from './spawner.ts';
import type { Subject } from './subjects.ts';

/** Who does the same thing over and over, in lanes that do not pause. */
export type Contender = { name: string; measure(lanes: number): Promise<Measured> };

/** All who can run this. Those of others may fail. */
export function contendersFor(
  context: Context,
  driven: Driven[],
  peers: Peer[],
  subject: Subject,
): Contender[] {
  const { bare, program } = subject;
  return [
    ...driven.map((one) => own(context, driven, one, subject)),
    ...(bare === undefined ? [] : [bareProcess(context, bare)]),
    // It takes a third of a second each time, whatever it runs: one subject shows it.
    ...(subject.name === 'bash' ? [dockerRun(context, subject)] : []),
    ...(program === undefined
      ? []
      : peers.filter((peer) => peer.has(program.language)).map((peer) => peerServer(context, peer, program))),
  ];
}

export const rawName = 'raw create+start+wait+remove';
export const bareName = 'the bare process';
export const nameOf = (driver: Driver) => `runlet ${driver}`;

const callsOf = ({ rounds }: Context, lanes: number) => Math.max(lanes, rounds);

async function onMachine(act: () => Promise<Tally>): Promise<Measured> {
  const before = machineBusyMs();
  const tally = await act();
  return { ...tally, machineMs: machineBusyMs() - before, cpuCalls: tally.calls };
}

/** Of the same image for all subjects: what is in it makes no difference to it. */
export const rawEngineLives = (context: Context): Contender => ({
  name: rawName,
  measure: (lanes) =>
    onMachine(() =>
      inLanes(lanes, callsOf(context, lanes), async () =>
        context.raw.remove(await context.raw.run('hello-world')),
      ),
    ),
});

const dockerRun = ({ lab, rounds }: Context, subject: Subject): Contender => ({
  name: 'docker run --rm --network none',
  measure: (lanes) =>
    onMachine(() =>
      dockerInLanes(lab.dockerHost, subject.docker, lanes, Math.max(lanes, Math.ceil(rounds / 4))),
    ),
});

const bareProcess = (context: Context, argv: string[]): Contender => ({
  name: bareName,
  // They are quick: as many more make the figure steadier.
  measure: (lanes) => onMachine(() => processesInLanes(lanes, 4 * callsOf(context, lanes), argv)),
});

const peerServer = (context: Context, peer: Peer, program: Program): Contender => ({
  name: `${peer.kind} at ${peer.url}`,
  measure: (lanes) => onMachine(() => inLanes(lanes, callsOf(context, lanes), () => peer.execute(program))),
});

/** Ours, from the moment in which nothing moves until nothing moves again: what is made ready and removed for its runs is in its CPU time. */
const own = (
  context: Context,
  all: Driven[],
  { driver, runlet }: Driven,
  { request }: Subject,
): Contender => ({
  name: nameOf(driver),
  async measure(lanes) {
    await settled(context, all);
    const machine = machineBusyMs();
    const cpu = await cpuAccount(context.lab, runlet);
    const runs: Run[] = [];
    const one = async () => {
      runs.push(await succeeded(runlet, request));
    };
    // What the pool holds at first would flatter us: it is used up before the clock runs.
    if (context.rounds >= 10) await inLanes(lanes, 40, one);
    const tally = await inLanes(lanes, callsOf(context, lanes), one);
    await settled(context, all);
    return { ...tally, cpu: cpu(runs), machineMs: machineBusyMs() - machine, cpuCalls: runs.length };
  },
});

const answered = z.looseObject({ id: z.string(), status: z.string() });

async function succeeded(runlet: Runlet, request: Record<string, unknown>): Promise<Run> {
  const answer = await ask(`${runlet.url}/v1/runs`, {
    kind: answered,
    as: 'Runlet',
    body: request,
    headers: { authorization: `Bearer ${runlet.apiKey}`, prefer: 'wait=60' },
  });
  const run = answer as unknown as Run;
  if (run.status !== 'succeeded')
    throw new Error(`${JSON.stringify(request)}: ${run.status} ${JSON.stringify(run.error)}`);
  return run;
}
