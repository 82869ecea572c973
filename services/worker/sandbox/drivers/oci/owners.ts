import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { sandboxName, warmName } from '../../../labels.ts';
import type { SandboxSpec } from '../../spec.ts';
import type { Places } from './places.ts';

/** Whose a sandbox is. A sandbox that was made ahead has the name of a run as well, once a run has taken it. */
export type Owned = {
  name: string;
  owner: SandboxSpec['owner'];
  shownAs: string;
  image: string;
  user: number;
};

const text = z.string().min(1).max(256);
const ownerSchema = z.object({
  owner: z.discriminatedUnion('of', [
    z.object({
      of: z.literal('run'),
      owner: z.object({ run: text, tenant: text, attempt: z.int(), worker: text, instance: text }),
    }),
    z.object({ of: z.literal('warm'), owner: z.object({ warm: text, worker: text, instance: text }) }),
  ]),
  shownAs: text,
  image: z.string().max(256),
  user: z.int(),
});

/** The name by which everything of a sandbox is found. */
export const nameOf = ({ of, owner }: SandboxSpec['owner']): string =>
  of === 'run' ? sandboxName(owner) : warmName(owner.warm);

/** What is recorded of a sandbox; the image for people who look at the machine. */
export const ownerText = (
  { owner, image, lease }: Pick<SandboxSpec, 'owner' | 'image' | 'lease'>,
  shownAs: string,
): string => JSON.stringify({ owner, shownAs, image, user: lease.user.uid });

/**
 * The sandboxes that are recorded in a folder. A file that is not one of ours, or was not written to its end, says nothing: a sandbox is made
 * after its file.
 */
export async function ownedIn(folder: string): Promise<Owned[]> {
  const files = await readdir(folder).catch(ifMissing([]));
  const found = await Promise.all(
    files
      .filter((file) => file.endsWith('.json'))
      .map(async (file): Promise<Owned | undefined> => {
        const content = await readFile(join(folder, file), 'utf8').catch(ifMissing(''));
        const read = ownerSchema.safeParse(parsed(content));
        const name = file.slice(0, -'.json'.length);
        return read.success && nameOf(read.data.owner) === name ? { name, ...read.data } : undefined;
      }),
  );
  return found.filter((one) => one !== undefined);
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

/** A file may go while it is looked at. */
function ifMissing<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return instead;
    throw error;
  };
}

/** The users of all sandboxes of this machine, whichever Runlet's they are. */
export async function usersInUse({ owners, disk }: Pick<Places, 'owners' | 'disk'>): Promise<number[]> {
  const found = await Promise.all([ownedIn(owners), ownedIn(disk)]);
  return found.flat().map(({ user }) => user);
}
