import { existsSync } from 'node:fs';
import { createInitSession, type InitSession } from '../../init/session.ts';
import type { SandboxSpec } from '../../spec.ts';
import { type BoxParts, boxFor, type Machine, removalOf } from './box.ts';
import { type Launch, type Launcher, LaunchFailed } from './launcher.ts';
import { nameOf } from './owners.ts';
import type { Stdio } from './stdio.ts';

/** What starts sandboxes on this machine. */
export type Starter = {
  machine: Machine;
  launcher: Launcher;
  stdio: Stdio;
  /** Where the launcher connects to. */
  socket: string;
};

export type Started = { pid: number; session: InitSession };

/** Whoever made it, and whether it was made to its end. */
export async function removeBox({ launcher, machine }: Starter, name: string): Promise<void> {
  if (launcher.knows(name)) {
    try {
      return await launcher.remove(name);
    } catch (error) {
      // What a launcher that ended has not done, the next one does.
      if (!(error instanceof LaunchFailed && error.stage === 'lost')) throw error;
    }
  }
  await launcher.carryOut(removalOf(name, machine));
}

/** Starts a sandbox. Rejects with LaunchFailed; what there is of it then is the caller's to remove. */
export async function startBox(starter: Starter, spec: SandboxSpec, parts: BoxParts): Promise<Started> {
  const { machine, stdio, socket } = starter;
  const name = nameOf(spec.owner);
  const at = machine.places.sandbox(name);
  // Of an earlier try at the same attempt, whose answer was lost.
  if (existsSync(at.ownerFile) || existsSync(at.onDisk.ownerFile)) await removeBox(starter, name);
  const box = boxFor(spec, parts, machine, { socket, hello: stdio.helloOf(name) });
  try {
    return await launched(starter, box);
  } catch (error) {
    // A runtime that waited says nothing: its words go to a parent that it does not have. So it is asked once more, as itself.
    if (
      !(
        error instanceof LaunchFailed &&
        box.how === 'waiting' &&
        error.stage === 'runtime' &&
        error.message === ''
      )
    )
      throw error;
    await removeBox(starter, name);
    return await launched(starter, { ...box, how: 'anew' });
  }
}

async function launched({ launcher, stdio }: Starter, box: Launch): Promise<Started> {
  const { streams, leave } = stdio.expect(box.id);
  try {
    const { pid } = await launcher.launch(box);
    return { pid, session: createInitSession(await streams) };
  } catch (error) {
    leave();
    streams.then(
      (one) => one.close(),
      () => {},
    );
    throw error;
  }
}
