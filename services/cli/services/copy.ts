import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import { services } from '../ids/kinds.ts';
import { resolveService } from '../ids/resolve.ts';
import { copyIn } from './copy-in.ts';
import { copyOut } from './copy-out.ts';
import { type Remote, remoteOf } from './remote.ts';

/** Copies a file, or a folder with all in it, in one direction. */
export async function copy(context: Context, from: string, to: string): Promise<void> {
  const [source, target] = [remoteOf(from), remoteOf(to)];
  if ((source === undefined) === (target === undefined))
    throw new UsageError('One of the two must be in a service, as NAME:/PATH, and the other one here.');
  const named = async (remote: Remote): Promise<Remote> => ({
    ...remote,
    name: await resolveService(context.api, services, remote.name),
  });
  if (target !== undefined) return copyIn(context, from, await named(target));
  if (source !== undefined) return copyOut(context, await named(source), to);
}
