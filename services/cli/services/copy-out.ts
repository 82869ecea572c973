import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Run } from '../../../shared/contracts/run.ts';
import type { Context } from '../context.ts';
import { ApiError, UsageError } from '../errors.ts';
import { makeFolders, safeParts } from '../files/download.ts';
import { saveFile } from '../files/save.ts';
import { printable } from '../output/harmless.ts';
import { isFolderIn, runInside } from './inside.ts';
import { copyWaitMs, eachOf, filePath, type Remote } from './remote.ts';
import { inRunning, isConflict } from './running.ts';

/** Copies a file or a folder of a service to here, or a file to stdout. */
export async function copyOut(context: Context, { name, path: asked }: Remote, to: string): Promise<void> {
  const from = { name, path: asked.replace(/\/+$/, '') };
  if (from.path === '') throw new UsageError('The whole root is not copied: name a file or a folder in it.');
  const isFolder = statSync(to, { throwIfNoEntry: false })?.isDirectory() === true;
  const path = isFolder ? join(to, basename(from.path)) : to;
  let body: Readable;
  try {
    body = await inRunning(context, name, copyWaitMs, () => open(context, from));
  } catch (error) {
    const mayBeFolder = error instanceof ApiError && !isConflict(error);
    if (!mayBeFolder || !(await isFolderIn(context, name, from.path))) throw error;
    if (to === '-')
      throw new UsageError(`/${from.path} is a folder: it goes to a folder, and not to stdout.`);
    return copyFolderOut(context, from, path);
  }
  if (to === '-') {
    for await (const chunk of body) await context.out.write(chunk as Buffer);
    return;
  }
  await saveFile(body, path);
  if (context.json) await context.printJson({ service: name, path });
}

async function open({ api }: Context, from: Remote): Promise<Readable> {
  const answer = await api.open({ path: filePath(from) });
  return answer.body;
}

/**
 * The image's own `find` tells what is in the folder, and each file is fetched by itself. Names come from the program,
 * so none may lead out of our folder. Links are left out, with a note: they may lead anywhere.
 */
async function copyFolderOut(context: Context, from: Remote, to: string): Promise<void> {
  const folders = await found(context, from, ['-type', 'd']);
  const files = await found(context, from, ['-type', 'f']);
  const programs = new Set(await found(context, from, ['-type', 'f', '-perm', '-100']));
  const [other, ...more] = await found(context, from, ['!', '-type', 'd', '!', '-type', 'f']);
  if (other !== undefined)
    context.note(
      `Left out, as only files and folders are copied: ${printable(other)}${more.length > 0 ? ` and ${more.length} more` : ''}.`,
    );
  mkdirSync(to, { recursive: true });
  for (const below of folders) await makeFolders(to, safeParts(below));
  let sizeBytes = 0;
  await eachOf(files, async (below) => {
    const parts = safeParts(below);
    const parent = await makeFolders(to, parts.slice(0, -1));
    const path = join(parent, parts.at(-1) as string);
    await saveFile(await open(context, { ...from, path: `${from.path}/${below}` }), path);
    if (programs.has(below)) chmodSync(path, 0o755);
    sizeBytes += statSync(path).size;
  });
  if (context.json) await context.printJson({ service: from.name, path: to, files: files.length, sizeBytes });
}

/** Paths below the folder. */
async function found(context: Context, { name, path }: Remote, which: string[]): Promise<string[]> {
  const run = await runInside(context, name, ['find', `/${path}/`, ...which, '-print0']);
  if (run === undefined)
    throw new UsageError(
      `/${path} is a folder, and the image of ${name} has no \`find\` to list it: copy its files one by one.`,
    );
  if (run.status === 'output_limit')
    throw new UsageError(`/${path} has too many files: copy the folders in it one by one.`);
  if (run.status !== 'succeeded') context.note(`Not all of /${path} could be listed: ${complaintOf(run)}`);
  const text = Buffer.from(run.stdout, run.outputEncoding).toString();
  const start = `/${path}/`;
  return text.split('\0').flatMap((one) => {
    const below = one.startsWith(start) ? one.slice(start.length) : '';
    return below === '' ? [] : [below];
  });
}

/** The first line that `find` complained with. */
const complaintOf = ({ stderr, outputEncoding, status }: Run): string =>
  Buffer.from(stderr, outputEncoding).toString().split('\n')[0] || status;
