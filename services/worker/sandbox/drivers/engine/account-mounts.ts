import { createHash } from 'node:crypto';
import type { FileMount } from '../../../engine/containers.ts';
import type { SandboxSpec } from '../../spec.ts';
import type { AccountFiles } from './account-files.ts';

/**
 * Each sandbox has its own user, so each has its own passwd and group. To put these files on the engine takes about as
 * long as to make a sandbox. So they are put there for many users at a time, and a sandbox mounts only those of its
 * user. With `anew` they are put there again.
 */
export async function mountsOf(
  {
    files,
    lease: { user, batch },
  }: Pick<SandboxSpec, 'files'> & { lease: Pick<SandboxSpec['lease'], 'user' | 'batch'> },
  provide: (wanted: AccountFiles, anew: boolean) => Promise<string>,
  anew = false,
): Promise<FileMount[]> {
  const own = files(user);
  if (own.length === 0) return [];
  const [first = user] = batch;
  const hash = createHash('sha256').update(`${first.uid} ${batch.length}\n`);
  for (const { name, data } of files(first)) hash.update(`${name} ${data.length}\n`).update(data);
  const wanted: AccountFiles = {
    digest: hash.digest('hex').slice(0, 16),
    files: () =>
      batch.flatMap((one) => files(one).map(({ name, data }) => ({ name: `${name}.${one.uid}`, data }))),
  };
  const folder = await provide(wanted, anew);
  return own.map(({ name, path }) => ({ source: `${folder}/${name}.${user.uid}`, path }));
}
