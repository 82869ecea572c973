import { readFileSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Context } from '../context.ts';
import { ApiError, UsageError } from '../errors.ts';
import { type Below, filesBelow } from '../files/below.ts';
import { isFolderIn, runInside } from './inside.ts';
import { copyWaitMs, eachOf, filePath, type Remote } from './remote.ts';
import { inRunning, isConflict } from './running.ts';

/** Names that one command gets at once: the kernel bounds their length together. */
const maxNamed = 200;

/** Copies a local file or folder, or stdin, into a service. */
export async function copyIn(context: Context, from: string, to: Remote): Promise<void> {
  if (from !== '-' && readable(() => statSync(from), from).isDirectory())
    return copyFolderIn(context, from, to);
  const data = from === '-' ? await buffer(process.stdin) : readable(() => readFileSync(from), from);
  const own = basename(from);
  const isBelow = to.path === '' || to.path.endsWith('/');
  const target = { ...to, path: isBelow ? `${to.path}${own}` : to.path };
  const write = (where: Remote) => inRunning(context, to.name, copyWaitMs, () => put(context, where, data));
  let path = target.path;
  try {
    await write(target);
  } catch (error) {
    // As with `docker cp`, a file goes below a folder that is there.
    const mayBeFolder = error instanceof ApiError && !isConflict(error) && from !== '-' && !isBelow;
    if (!mayBeFolder || !(await isFolderIn(context, to.name, target.path))) throw error;
    path = `${target.path}/${own}`;
    await write({ ...to, path });
  }
  if (context.json) await context.printJson({ service: to.name, path: `/${path}`, sizeBytes: data.length });
}

/** Each file is written by itself, so the image needs no program for it. */
async function copyFolderIn(context: Context, from: string, to: Remote): Promise<void> {
  const { files, folders } = filesBelow(from, context.note);
  const path = await targetOf(context, from, to);
  const at = (below: string) => (below === '' ? path : `${path}/${below}`);
  let sizeBytes = 0;
  await eachOf(files, async ({ local, below }) => {
    const data = readable(() => readFileSync(local), local);
    await put(context, { ...to, path: at(below) }, data);
    sizeBytes += data.length;
  });
  const programs = files.filter(({ isProgram }) => isProgram);
  await haveDone(context, to.name, ['chmod', '+x', '--'], pathsOf(programs, at), 'are not executable there');
  await haveDone(context, to.name, ['mkdir', '-p', '--'], pathsOf(folders, at), 'are empty and not made');
  if (context.json)
    await context.printJson({ service: to.name, path: `/${path}`, files: files.length, sizeBytes });
}

const pathsOf = (some: readonly Pick<Below, 'below'>[], at: (below: string) => string) =>
  some.map(({ below }) => `/${at(below)}`);

/** As with `docker cp`: below a folder that is there by its own name, else in its place. `FOLDER/.` is what is in it. */
async function targetOf(context: Context, from: string, to: Remote): Promise<string> {
  const path = to.path.replace(/\/+$/, '');
  const isContent = /(?:^|\/)\.\/?$/.test(from);
  const isThere =
    path === '' || (await inRunning(context, to.name, copyWaitMs, () => isFolderIn(context, to.name, path)));
  if (isContent || !(isThere || to.path.endsWith('/'))) {
    if (path === '') throw new UsageError(`${from}/. would go to the root: name a folder in the service.`);
    return path;
  }
  return `${path === '' ? '' : `${path}/`}${basename(resolve(from))}`;
}

/** What the API has no way for, the image's own programs do. Without them a note says what is missing. */
async function haveDone(
  context: Context,
  name: string,
  command: string[],
  paths: readonly string[],
  lack: string,
): Promise<void> {
  for (let from = 0; from < paths.length; from += maxNamed) {
    const some = paths.slice(from, from + maxNamed);
    const done = await runInside(context, name, [...command, ...some]);
    if (done?.exitCode !== 0)
      context.note(`${some.slice(0, 3).join(', ')}${some.length > 3 ? ', …' : ''} ${lack}.`);
  }
}

async function put(context: Context, to: Remote, bytes: Buffer): Promise<void> {
  await context.api.json({ method: 'PUT', path: filePath(to), bytes });
}

function readable<T>(read: () => T, path: string): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`);
  }
}
