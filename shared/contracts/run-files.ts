import { posix } from 'node:path';
import { z } from 'zod';
import { kernelFolder, kernelFolderFault } from '../kernel-folders.ts';

/** Files that come with a request, and the rules for their paths. */

const maxPathCharacters = 1024;
/** NAME_MAX of every filesystem on which the work folder can lie. */
const maxNameBytes = 255;

export const isBase64 = (value: string) => value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);

/** The number of bytes that a text in a request stands for. It is computed without decoding the text. */
export const decodedBytes = (text: string, encoding: 'utf8' | 'base64') => Buffer.byteLength(text, encoding);

/** What is wrong with a path below the work folder; `undefined` if nothing is. The init of the sandbox refuses the same paths. */
export function pathFault(path: string): string | undefined {
  if (path.includes('\0')) return 'must not contain a NUL character';
  // Such a text becomes a different path when it is encoded as UTF-8.
  if (!path.isWellFormed()) return 'must be valid Unicode';
  if (path.startsWith('/')) return 'must be relative to the work folder, without a "/" at its start';
  if (path.endsWith('/')) return 'must name a file: no "/" at its end';
  const parts = path.split('/');
  if (parts.includes('')) return 'must not contain an empty part ("//")';
  if (parts.includes('.') || parts.includes('..')) return 'must not contain "." or ".." as a part';
  if (parts.some((part) => Buffer.byteLength(part) > maxNameBytes))
    return `has a part of more than ${maxNameBytes} bytes`;
  return undefined;
}

/** The one folder beside the work folder in which a run's files may lie: every run has it, and can write to it. */
export const besideWorkdir = '/tmp';

/** Whether a file of a run lies beside the work folder. */
export const isAbsolute = (path: string) => path.startsWith('/');

/** What is wrong with the path of a run's file: it may also be absolute, below /tmp. */
function runPathFault(path: string): string | undefined {
  if (!isAbsolute(path)) return pathFault(path);
  const below = `${besideWorkdir}/`;
  return path.startsWith(below) && path !== below && !path.startsWith(`${below}/`)
    ? pathFault(path.slice(below.length))
    : `must be relative to the work folder, without a "/" at its start, or lie below ${below}`;
}

const fileWith = (fault: typeof pathFault, about: { description: string; examples: string[] }) =>
  z
    .strictObject({
      path: z
        .string()
        .min(1)
        .max(maxPathCharacters)
        .superRefine((path, context) => {
          const message = fault(path);
          if (message !== undefined) context.addIssue({ code: 'custom', message, input: path });
        })
        .meta(about),
      content: z.string(),
      encoding: z.enum(['utf8', 'base64']).default('utf8'),
      mode: z
        .string()
        .regex(/^0?[0-7]{3}$/, 'must be an octal mode like "0644"')
        .default('0644'),
    })
    .refine(({ content, encoding }) => encoding !== 'base64' || isBase64(content), {
      path: ['content'],
      message: 'is not valid base64',
    });

/** A file in a work folder. */
export const file = fileWith(pathFault, {
  description: 'Relative to the work folder; folders on the way are made.',
  examples: ['lib/a.py'],
}).meta({ id: 'File' });

/** A file of a run. */
export const runFile = fileWith(runPathFault, {
  description:
    'Relative to the work folder, or absolute below /tmp; folders on the way are made. A file below /tmp is data: with a language, it is none of the program’s sources.',
  examples: ['lib/a.py', '/tmp/data/input.txt'],
}).meta({ id: 'RunFile' });

export type FaultTeller = (path: (string | number)[], message: string) => void;

/** Refuses files that would lie in the kernel's folders. This can happen when the request sets the work folder to the root. */
export function refuseKernelFiles(
  workdir: string | undefined,
  files: { path: string }[],
  refuse: FaultTeller,
): void {
  if (workdir === undefined) return;
  for (const [index, { path }] of files.entries())
    if (!isAbsolute(path) && kernelFolder(`${workdir}/${path}`) !== undefined)
      refuse(['files', index, 'path'], kernelFolderFault);
}

/**
 * Refuses paths that cannot exist together.
 *
 * @param workdir `undefined`: the image's own, which is not known yet
 */
export function refuseClashes(
  workdir: string | undefined,
  files: { path: string }[],
  refuse: FaultTeller,
): void {
  const base = workdir === undefined ? '' : `${posix.resolve('/', workdir, '.')}/`.replace('//', '/');
  const seen = new Map<string, number>();
  const folders = new Map<string, string>();
  for (const [index, { path: given }] of files.entries()) {
    const path = isAbsolute(given) ? given : `${base}${given}`;
    const earlier = seen.get(path);
    if (earlier !== undefined) refuse(['files', index, 'path'], `stands twice: files[${earlier}] has it too`);
    seen.set(path, seen.get(path) ?? index);
    for (let at = path.indexOf('/', 1); at >= 0; at = path.indexOf('/', at + 1))
      folders.set(path.slice(0, at), given);
  }
  for (const [path, index] of seen) {
    const inside = folders.get(path);
    if (inside !== undefined)
      refuse(['files', index, 'path'], `is a file here and a folder in ${JSON.stringify(inside)}`);
  }
}
