import { createHash, randomBytes } from 'node:crypto';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '../../../shared/contracts/run.ts';
import type { ApiClient } from '../http/api-client.ts';
import { runPath } from '../http/paths.ts';
import { printable } from '../output/harmless.ts';

type Artifact = Run['artifacts'][number];

/**
 * Downloads a run's artifacts into a folder. Their names come from the program that ran, so they are not trusted: none
 * may lead out of the folder, by `..` or by an existing link. A file gets its final name only when it is complete.
 */
export async function downloadArtifacts(
  api: ApiClient,
  run: Pick<Run, 'id' | 'artifacts'>,
  folder: string,
): Promise<string[]> {
  const written: string[] = [];
  await mkdir(folder, { recursive: true });
  for (const artifact of run.artifacts) {
    const parts = safeParts(artifact.path);
    const parent = await makeFolders(folder, parts.slice(0, -1));
    const target = join(parent, parts.at(-1) as string);
    await fetchInto(api, run.id, artifact, parent, target);
    written.push(target);
  }
  return written;
}

/** Splits a path into names. Throws unless the path stays inside its folder on every operating system. */
export function safeParts(path: string): string[] {
  const parts = path.split('/');
  const safe = parts.every(
    (part) =>
      part !== '' &&
      part !== '.' &&
      part !== '..' &&
      !part.includes('\0') &&
      !(onWindows && /[\\:]/.test(part)),
  );
  if (!safe) throw new Error(`${JSON.stringify(printable(path))} would leave the folder: not fetched.`);
  return parts;
}

const onWindows = process.platform === 'win32';

/** Makes one folder after another, so that a link on the way is noticed. */
export async function makeFolders(folder: string, names: string[]): Promise<string> {
  let path = folder;
  for (const name of names) {
    path = join(path, name);
    await mkdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    if (!(await lstat(path)).isDirectory())
      throw new Error(`${path} is no folder, so nothing is written below it: choose another folder.`);
  }
  return path;
}

async function fetchInto(
  api: ApiClient,
  runId: string,
  artifact: Artifact,
  parent: string,
  target: string,
): Promise<void> {
  const path = artifact.path.split('/').map(encodeURIComponent).join('/');
  const response = await api.open({ path: runPath(runId, `/artifacts/${path}`) });
  const draft = join(parent, `.runlet-${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(draft, 'wx');
    const hash = createHash('sha256');
    try {
      for await (const chunk of response.body) {
        hash.update(chunk);
        await file.writeFile(chunk);
      }
    } finally {
      await file.close();
    }
    if (hash.digest('hex') !== artifact.sha256)
      throw new Error(`The artifact ${printable(artifact.path)} did not arrive whole: fetch it again.`);
    // Replaces what is there. If that is a link, the link is replaced and not its target.
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
