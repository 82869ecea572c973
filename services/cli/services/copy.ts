import { randomBytes } from 'node:crypto';
import { createWriteStream, readFileSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import { servicePath } from '../http/paths.ts';

type Remote = { name: string; path: string };

/** `NAME:/PATH` is a path in a service. Anything else is a local path. */
function remoteOf(text: string): Remote | undefined {
  const [, name, path] = /^([a-z0-9][a-z0-9_-]*):\/+(.+)$/.exec(text) ?? [];
  return name === undefined || path === undefined ? undefined : { name, path };
}

const pathOf = ({ name, path }: Remote) =>
  servicePath(name, `/files/${path.split('/').map(encodeURIComponent).join('/')}`);

/** Copies one file in one direction. */
export async function copyFile(context: Context, from: string, to: string): Promise<void> {
  const [source, target] = [remoteOf(from), remoteOf(to)];
  if ((source === undefined) === (target === undefined))
    throw new UsageError('One of the two must be in a service, as NAME:/PATH, and the other one here.');
  if (target !== undefined) return upload(context, from, target);
  if (source !== undefined) return download(context, source, to);
}

async function upload(context: Context, from: string, to: Remote): Promise<void> {
  const data = from === '-' ? await buffer(process.stdin) : readLocal(from);
  const path = to.path.endsWith('/') ? `${to.path}${basename(from)}` : to.path;
  await context.api.open({ method: 'PUT', path: pathOf({ ...to, path }), bytes: data });
  if (context.json) await context.printJson({ service: to.name, path: `/${path}`, sizeBytes: data.length });
}

async function download(context: Context, from: Remote, to: string): Promise<void> {
  const answer = await context.api.open({ path: pathOf(from) });
  const body = Readable.fromWeb(answer.body as never);
  if (to === '-') {
    for await (const chunk of body) await context.out.write(chunk as Buffer);
    return;
  }
  const isFolder = statSync(to, { throwIfNoEntry: false })?.isDirectory() === true;
  const path = isFolder ? join(to, basename(from.path)) : to;
  await save(body, path);
  if (context.json) await context.printJson({ service: from.name, path });
}

/** A file gets its final name only when it is complete. Until then the old file stays. */
async function save(body: Readable, path: string): Promise<void> {
  const there = statSync(path, { throwIfNoEntry: false });
  // A device or a pipe cannot be replaced by a file, so it is written to directly.
  if (there !== undefined && !there.isFile()) return pipeline(body, writeTo(path));
  const target = there === undefined ? path : realpathSync(path);
  const draft = join(dirname(target), `.runlet-${randomBytes(6).toString('hex')}`);
  try {
    await pipeline(body, writeTo(draft, there?.mode));
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES')
      throw new UsageError(`${path} cannot be written: ${message.replace(draft, path)}`);
    throw error;
  }
}

const writeTo = (path: string, mode?: number) =>
  createWriteStream(path, mode === undefined ? {} : { mode: mode & 0o777 });

function readLocal(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`);
  }
}
