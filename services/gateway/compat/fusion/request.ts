import { z } from 'zod';
import { limitBounds } from '../../../../shared/contracts/bounds.ts';
import {
  type RunPolicy,
  type RunRequest,
  runRequestSchema,
} from '../../../../shared/contracts/run-request.ts';
import { findLanguage, hasCompiler } from '../../../../shared/languages/index.ts';
import { textFaults } from '../../http/well-formed.ts';
import { type Fault, faultsOf, ruleFault } from './faults.ts';
import { languageNames, ourLanguage, sourceOf } from './languages.ts';
import { globOf, type Places, placesFor } from './places.ts';

const MiB = 1024 * 1024;
/** SandboxFusion keeps 1 MiB of each stream. */
const outputBytes = 2 * MiB;
const usualSeconds = 10;
/** Files with this in their name are not put anywhere: a mark of its data sets. */
const ignoredMark = 'IGNORE_THIS_FILE';

/** What becomes of a request: a run; or what is wrong with it; or why there is no run, though nothing is wrong. */
export type Order =
  | { request: RunRequest; fetch: Map<string, string> }
  | { faults: Fault[] }
  | { unavailable: string };

/** Reads the bodies of `POST /run_code`. Unknown fields are ignored, as pydantic does; so are `args`, which are pytest's. */
export function orderReader(policy: RunPolicy): (body: unknown) => Order {
  const { limits } = policy;
  const seconds = number(
    z
      .number()
      .positive()
      .max(limits.timeoutMs / 1000),
  );
  const leastMemory = limitBounds.memoryBytes.least / MiB;
  const fields = z.object({
    code: z.string(),
    language: z.enum(languageNames),
    // SandboxFusion's own default of 10 s is too short for some compilers here.
    compile_timeout: seconds.optional(),
    run_timeout: seconds.default(Math.min(usualSeconds, limits.timeoutMs / 1000)),
    memory_limit_MB: number(z.int().max(Math.floor(limits.memoryBytes / MiB)))
      .refine((amount) => amount <= 0 || amount >= leastMemory, {
        message: `must be ${leastMemory} or more, or -1 for what the server gives`,
      })
      .default(-1),
    stdin: z.string().nullish(),
    files: z.record(z.string(), z.string().nullable()).default({}),
    fetch_files: z.array(z.string()).max(100).default([]),
  });
  const runs = runRequestSchema(policy);

  return (body) => {
    const halves = textFaults(body, 100);
    if (halves.length > 0)
      return { faults: halves.map(({ path, message }) => ruleFault(path, message, null)) };
    const read = fields.safeParse(body);
    if (!read.success) return { faults: faultsOf(read.error, body) };
    const language = ourLanguage(read.data.language);
    if (language === undefined)
      return { unavailable: `The language ${read.data.language} is not available on this server.` };
    return orderOf(read.data, language);
  };

  function orderOf(body: z.output<typeof fields>, language: string): Order {
    const given = Object.entries(body.files).filter(
      (entry): entry is [string, string] => entry[1] !== null && !entry[0].includes(ignoredMark),
    );
    const places = placesFor([...given.map(([path]) => path), ...body.fetch_files]);
    const program = programOf(language, sourceOf(body.language, body.code), given, places);
    if ('faults' in program) return program;
    const fetch = new Map(
      body.fetch_files.flatMap((path) => {
        const relative = places.relative(path);
        return relative === undefined ? [] : [[path, relative]];
      }),
    );
    const parsed = runs.safeParse({
      language,
      ...program,
      ...compileFields(language, body.compile_timeout),
      ...(places.workdir !== undefined && { workdir: places.workdir }),
      ...(typeof body.stdin === 'string' && { stdin: body.stdin }),
      limits: {
        timeoutMs: Math.ceil(body.run_timeout * 1000),
        outputBytes: Math.min(outputBytes, limits.outputBytes),
        ...(body.memory_limit_MB > 0 && { memoryBytes: body.memory_limit_MB * MiB }),
      },
      artifacts: [...fetch.values()].map(globOf),
    });
    if (parsed.success) return { request: parsed.data, fetch };
    const refused = parsed.error.issues.find(({ path }) => path[0] === 'language');
    if (refused !== undefined) return { unavailable: `The language ${body.language} ${refused.message}.` };
    const names = { files: given.map(([path]) => path), fetched: [...fetch.keys()] };
    return { faults: parsed.error.issues.map(({ path, message }) => faultAt(path, message, names)) };
  }
}

/** The code alone, or among the files. */
function programOf(
  language: string,
  code: string,
  given: [path: string, content: string][],
  places: Places,
): { code: string } | { files: Record<string, unknown>[] } | { faults: Fault[] } {
  if (given.length === 0) return { code };
  const found = findLanguage(language);
  const name = 'language' in found ? found.language.fileName : '';
  const faults: Fault[] = [];
  const files = given.map(([path, content]) => {
    const relative = places.relative(path);
    if (relative === undefined)
      faults.push(
        ruleFault(['files', path], 'must lie in the work folder, or below /tmp as an absolute path', null),
      );
    else if (relative === name)
      faults.push(
        ruleFault(['files', path], 'is the name that the code itself has here: take another', null),
      );
    // Python's decoder skips the ends of lines that its encoder makes.
    return { path: relative, content: content.replace(/\s+/g, ''), encoding: 'base64' };
  });
  return faults.length > 0 ? { faults } : { files: [{ path: name, content: code }, ...files] };
}

/** The time of the step `compile`, where there is one; and for C++ the standard that SandboxFusion has. */
function compileFields(language: string, seconds: number | undefined) {
  const found = findLanguage(language);
  if (!('language' in found) || !hasCompiler(found.language)) return {};
  return {
    ...(seconds !== undefined && { compileLimits: { timeoutMs: Math.ceil(seconds * 1000) } }),
    ...(found.language.name === 'cpp' && { compilerOptions: ['-std=c++17'] }),
  };
}

const fieldOfLimit: Record<string, string> = {
  timeoutMs: 'run_timeout',
  memoryBytes: 'memory_limit_MB',
};

/** A fault of the run, at the field of SandboxFusion that it comes from. */
function faultAt(
  [field, part]: PropertyKey[],
  message: string,
  names: { files: string[]; fetched: string[] },
): Fault {
  const at = (): PropertyKey[] => {
    switch (field) {
      case 'limits':
        return [fieldOfLimit[String(part)] ?? 'code'];
      case 'files':
        // The first is the code.
        return typeof part !== 'number'
          ? ['files']
          : part === 0
            ? ['code']
            : ['files', names.files[part - 1] ?? ''];
      case 'artifacts':
        return ['fetch_files', names.fetched[Number(part)] ?? ''];
      default:
        return field === undefined ? [] : [field];
    }
  };
  return ruleFault(at(), message, null);
}

/** Pydantic takes a number in text as well. */
const number = <T extends z.ZodType>(kind: T) =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^\s*[+-]?[\d.]+\s*$/.test(value) ? Number(value) : value),
    kind,
  );
