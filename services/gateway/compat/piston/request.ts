import { posix } from 'node:path';
import { type RunRequest, runRequestSchema } from '../../../../shared/contracts/run-request.ts';
import { commandLines, hasCompiler, languageOfFile } from '../../../../shared/languages/index.ts';
import { Problem } from '../../../../shared/problems.ts';
import { validationProblem } from '../../http/zod-problem.ts';
import type { CompatParts } from '../protocol.ts';
import type { Fields } from './body.ts';
import { findRuntime, type Runtime } from './languages.ts';
import { type Limits, limitsIn } from './limits.ts';

/** What is to be executed. */
export type Job = { runtime: Runtime; request: RunRequest };

type File = { name?: unknown; content: string; encoding?: unknown };
type OwnFile = { path: string; content: string; encoding: 'utf8' | 'base64' };

const refuse = (message: string) => new Problem('validation_failed', message);

/** From the body of `POST /execute`, or the `init` of `/connect` (`interactive`). Throws Problems in Piston's words. */
export function jobParser({ policy }: Pick<CompatParts, 'policy'>) {
  const schema = runRequestSchema(policy);

  return (fields: Fields, interactive = false): Job => {
    const { runtime, files } = programIn(fields);
    const limits = limitsIn(fields, policy.limits);
    const stdin = textIn(fields, 'stdin');
    const own = ownFiles(files, runtime);
    const parsed = schema.safeParse({
      ...programOf(runtime, own, limits),
      args: argsIn(fields),
      ...(interactive
        ? { interactive }
        : // As Piston gives it to every program.
          { stdin: stdin.endsWith('\n') ? stdin : `${stdin}\n` }),
    });
    if (!parsed.success) throw refuse(theirWords(validationProblem(parsed.error).message));
    return { runtime, request: parsed.data };
  };
}

function programIn(fields: Fields): { runtime: Runtime; files: File[] } {
  const { language, version, files } = fields;
  if (typeof language !== 'string' || language === '') throw refuse('language is required as a string');
  if (typeof version !== 'string' || version === '') throw refuse('version is required as a string');
  if (!Array.isArray(files)) throw refuse('files is required as an array');
  for (const [i, file] of files.entries())
    if (typeof file?.content !== 'string') throw refuse(`files[${i}].content is required as a string`);
  const runtime = findRuntime(language, version);
  if (runtime === undefined)
    throw refuse(`${language.slice(0, 128)}-${version.slice(0, 128)} runtime is unknown`);
  if (!files.some(isText)) throw refuse('files must include at least one utf8 encoded file');
  return { runtime, files };
}

/** An encoding that is not known is utf8, as it is in Piston. */
const isText = ({ encoding }: File) => encoding !== 'base64' && encoding !== 'hex';

function textIn(fields: Fields, name: string): string {
  const value = fields[name] ?? '';
  if (typeof value !== 'string') throw refuse(`If specified, ${name} must be a string`);
  return value;
}

function argsIn({ args }: Fields): string[] {
  const list = args ?? [];
  if (!Array.isArray(list) || !list.every((word) => typeof word === 'string'))
    throw refuse('If specified, args must be an array of strings');
  return list;
}

/** Their paths in the work folder, the main file first: that is the first text, as in Piston. */
function ownFiles(files: File[], { own }: Runtime): OwnFile[] {
  const at = files.findIndex(isText);
  const named = files.map((file, i) => {
    if (file.name !== undefined && file.name !== null && typeof file.name !== 'string')
      throw refuse(`files[${i}].name must be a string`);
    return { ...bytesOf(file), path: file.name ? inside(file.name, i) : '' };
  });
  const taken = new Set(named.map(({ path }) => path));
  const usual = taken.has(own.fileName) ? 'file0.code' : own.fileName;
  const paths = named.map(({ path }, i) =>
    i === at ? sourceName(path || usual, own) : path || `file${i}.code`,
  );
  const all = named.map((file, i) => ({ ...file, path: paths[i] ?? '' }));
  return [...all.slice(at, at + 1), ...all.slice(0, at), ...all.slice(at + 1)];
}

/** A name that begins with a slash is below the work folder, too. */
function inside(name: string, i: number): string {
  const path = posix.normalize(`./${name}`);
  if (path === '..' || path.startsWith('../'))
    throw refuse(
      `files[${i}].name: File path "${name.slice(0, 256)}" tries to escape parent directory: ${path.slice(0, 256)}`,
    );
  return path.replace(/^\/+/, '');
}

/** Compilers know a source by its extension. */
const sourceName = (path: string, own: Runtime['own']) =>
  languageOfFile(path)?.name === own.name || own.extensions[0] === undefined
    ? path
    : `${path}.${own.extensions[0]}`;

/** Node reads base64 and hex up to what is none, as Piston does. */
function bytesOf({ content, encoding }: File): Omit<OwnFile, 'path'> {
  if (encoding !== 'base64' && encoding !== 'hex') return { content, encoding: 'utf8' };
  return { content: Buffer.from(content, encoding).toString('base64'), encoding: 'base64' };
}

/**
 * The main file is what is started. Ours would be the one with the language's usual name: where that is another file, and no compiler takes
 * them all, the command is said in full.
 */
function programOf({ own }: Runtime, files: OwnFile[], { own: limits, compile }: Limits) {
  const [main] = files;
  const paths = files.map(({ path }) => path);
  if (main === undefined || main.path === own.fileName || !paths.includes(own.fileName) || own.compile)
    return { language: own.name, files, limits, ...(hasCompiler(own) && { compileLimits: compile }) };
  const [word = '', ...words] = commandLines(own, { entry: main.path, files: paths }).run;
  return {
    image: own.image,
    entrypoint: [word],
    command: words,
    workdir: '/work',
    files,
    limits: { ...own.limits, ...limits },
  };
}

/** Our fields by Piston's names. */
const theirWords = (message: string) =>
  message.replace(/^files\[\d+\]\.path/, 'files[].name').replace(/^limits\./, '');
