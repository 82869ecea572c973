import { limitsOfSandbox } from './contracts/limits.ts';
import { isAbsolute } from './contracts/run-files.ts';
import type { RunRequest } from './contracts/run-request.ts';
import {
  commandLines,
  findLanguage,
  type Language,
  languageOfFile,
  type Named,
  nameSources,
} from './languages/index.ts';
import { Problem } from './problems.ts';
import { compileStep, type RunHead, type RunKind, type RunOutline } from './stores/run-record.ts';

/** Turns a request into files (bytes) and steps (command lines). Pure functions; the worker carries out the plan. */

export type PlannedFile = { path: string; data: Buffer; mode: number };

export type PlannedStep = {
  /** `compile` or `run`; if the request has inputs, `run[0]`, `run[1]`, … */
  name: string;
  /** The language's command line. `undefined`: the image's own (ENTRYPOINT and CMD, or the request's). */
  argv: string[] | undefined;
  /** The arguments after the command line. */
  args: string[];
  /** The first bytes of the program's stdin. `undefined`: none. */
  stdin: Buffer | undefined;
  /** True if stdin stays open after these bytes, for clients that attach. */
  stdinOpen: boolean;
  tty: boolean;
  /** What it must write to stdout. No sandbox is told. `undefined`: nobody looks. */
  expectedStdout?: Buffer | undefined;
};

/** In the order of the request. `code` gets the file name of its language. A source that needs another name gets that name. */
export function filesOf(request: RunRequest): PlannedFile[] {
  const files = givenFiles(request).map(planFile);
  if (request.language === undefined) return files;
  const { renamed } = namesOf(request, languageOf(request.language));
  return files.map((one) => ({ ...one, path: renamed.get(one.path) ?? one.path }));
}

/** How much memory and stack the compiler has. */
export function compilerLimitsOf({ limits, compileLimits }: Pick<RunRequest, 'limits' | 'compileLimits'>) {
  const { memoryBytes = limits.memoryBytes } = compileLimits ?? {};
  const { stackBytes } = limits;
  return {
    memoryBytes,
    stackBytes: stackBytes === undefined ? undefined : Math.min(stackBytes, memoryBytes),
  };
}

/** The files of the request. `code` counts as one file. */
function givenFiles({ language, code, files }: RunRequest): RunRequest['files'] {
  if (language === undefined || code === undefined) return files;
  return [{ path: languageOf(language).fileName, content: code, encoding: 'utf8', mode: '0644' }];
}

/** Those that make up the program. What lies beside the work folder is data. */
const programFiles = (request: RunRequest): RunRequest['files'] =>
  givenFiles(request).filter(({ path }) => !isAbsolute(path));

function namesOf(request: RunRequest, language: Language): Named {
  if (language.naming === undefined) return { renamed: new Map() };
  const given = programFiles(request);
  const isSource = ({ path }: { path: string }) => languageOfFile(path)?.name === language.name;
  return nameSources(
    language,
    given.filter(isSource).map((one) => ({ path: one.path, text: planFile(one).data.toString() })),
    given.filter((one) => !isSource(one)).map(({ path }) => path),
  );
}

/** A file of a request as bytes. */
export const planFile = ({ path, content, encoding, mode }: RunRequest['files'][number]): PlannedFile => ({
  path,
  data: Buffer.from(content, encoding),
  mode: Number.parseInt(mode, 8),
});

export function outlineOf({ id, tenant, createdAt, dueAt, request, told }: RunHead): RunOutline {
  const { image, language, pull, isolation, network, writable, workdir } = request;
  const limits = limitsOfSandbox(request);
  const shape = { image, language, pull, limits, isolation, network, writable, workdir };
  return {
    id,
    tenant,
    createdAt,
    dueAt,
    request: shape,
    firstStep: told?.firstStep ?? firstStepOf(request as RunRequest),
  };
}

/**
 * Two runs of the same kind can be started by a worker in the same way. The text is exactly the end of the data of the run's
 * job, which is `{id, outline}` as JSON.
 */
export const kindOf = ({ request, firstStep }: RunKind): string =>
  `${JSON.stringify({ request, firstStep }).slice(1)}}`;

/** The name of the first step. No file has to be read for it. */
export const firstStepOf = (request: RunRequest): string =>
  commandsOf(request, () => ({ renamed: new Map() }))?.compile === undefined
    ? runStepName(request, 0)
    : compileStep;

/** In the order in which they run. */
export function stepsOf(request: RunRequest): PlannedStep[] {
  const { compile, run } = commandsOf(request, namesOf) ?? {};
  const steps = runSteps(request, run);
  if (compile === undefined) return steps;
  const quiet = { args: [], stdin: undefined, stdinOpen: false, tty: false };
  return [{ name: compileStep, argv: compile, ...quiet }, ...steps];
}

/** The language's command lines; `undefined` if the request names no language. */
function commandsOf(request: RunRequest, named: typeof namesOf) {
  if (request.language === undefined) return undefined;
  const language = languageOf(request.language);
  const given = programFiles(request).map(({ path }) => path);
  const { renamed, entry = entryOf(language, given), mainClass } = named(request, language);
  const name = (path: string) => renamed.get(path) ?? path;
  return commandLines(
    language,
    { entry: name(entry), files: given.map(name), mainClass, compilerOptions: request.compilerOptions },
    request.limits,
    compilerLimitsOf(request),
  );
}

/**
 * The file with the language's usual name. If there is none: the first source file of the language; data files before it are
 * skipped.
 */
function entryOf(language: Language, files: string[]): string {
  if (files.includes(language.fileName)) return language.fileName;
  return files.find((path) => languageOfFile(path)?.name === language.name) ?? files[0] ?? language.fileName;
}

/** The gateway has checked the language already, but a worker of another version may know other languages. */
function languageOf(wanted: string): Language {
  const found = findLanguage(wanted);
  if ('fault' in found)
    throw new Problem(
      'language_unavailable',
      `This worker does not have the language "${wanted}": all programs of one Runlet should be of one version.`,
    );
  return found.language;
}

const runStepName = ({ inputs }: RunRequest, index: number) =>
  inputs.length === 0 ? 'run' : `run[${index}]`;

function runSteps(request: RunRequest, argv: string[] | undefined): PlannedStep[] {
  const { args, inputs, interactive, tty } = request;
  if (inputs.length === 0)
    return [
      { name: runStepName(request, 0), argv, args, stdin: bytes(request), stdinOpen: interactive, tty },
    ];
  return inputs.map((input, index) => ({
    name: runStepName(request, index),
    argv,
    args: [...args, ...(input.args ?? [])],
    stdin: bytes(input),
    stdinOpen: false,
    tty: false,
    expectedStdout: input.expectedStdout === undefined ? undefined : Buffer.from(input.expectedStdout),
  }));
}

const bytes = ({ stdin, stdinEncoding }: { stdin?: string | undefined; stdinEncoding: 'utf8' | 'base64' }) =>
  stdin === undefined ? undefined : Buffer.from(stdin, stdinEncoding);
