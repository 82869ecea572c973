import type { RunPolicy } from '../../../../shared/contracts/run-request.ts';
import { Faults } from './faults.ts';
import { type Judge0Language, judge0Language, multiFileId } from './languages.ts';
import {
  type Bound,
  boundsFor,
  maxExtractFiles,
  maxExtractKb,
  maxLineLength,
  type NumberName,
  numberNames,
  type Settings,
} from './settings.ts';
import { shellWords } from './shell-words.ts';
import { unzip, ZipFault, type ZipFile } from './unzip.ts';

/** A submission that is valid by itself. */
export type Submission = {
  language: Judge0Language;
  /** `undefined`: a program of several files. */
  source: Buffer | undefined;
  stdin: Buffer | undefined;
  expectedOutput: Buffer | undefined;
  args: string[];
  files: ZipFile[];
  settings: Settings;
  /** The names of the numbers that it sets itself. */
  given: ReadonlySet<NumberName>;
};

type Given = Record<string, unknown>;

/**
 * Reads a submission from a request. Fields that are not known are ignored, as Judge0 does.
 *
 * @param base64 whether its texts are in base64
 */
export function readSubmission(value: unknown, base64: boolean, policy: RunPolicy): Submission | Faults {
  const given: Given =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Given) : {};
  const faults = new Faults();
  const bytes = (name: string) => {
    const text = textIn(given, name);
    return text === undefined ? undefined : Buffer.from(text, base64 ? 'base64' : 'utf8');
  };
  const language = languageIn(given, faults);
  const numbers = numbersIn(given, policy, faults);
  const source = sourceIn(bytes('source_code'), language, faults);
  const files = filesIn(given, language, faults);
  const line = textIn(given, 'command_line_arguments') ?? null;
  const args = argsIn(line, faults);
  const settings: Settings = {
    ...numbers.values,
    language_id: language?.id ?? 0,
    enable_per_process_and_thread_time_limit: flagIn(given, 'enable_per_process_and_thread_time_limit'),
    enable_per_process_and_thread_memory_limit: flagIn(given, 'enable_per_process_and_thread_memory_limit'),
    redirect_stderr_to_stdout: flagIn(given, 'redirect_stderr_to_stdout'),
    enable_network: flagIn(given, 'enable_network'),
    compiler_options: textIn(given, 'compiler_options') || null,
    command_line_arguments: line,
    additional_files: textIn(given, 'additional_files') || null,
  };
  refuseUnoffered(given, settings, policy, faults);
  if (faults.some || language === undefined) return faults;
  return {
    ...{ language, source, args, files, settings },
    stdin: bytes('stdin'),
    expectedOutput: bytes('expected_output'),
    given: numbers.given,
  };
}

/** Rails takes a number for its text. */
function textIn(given: Given, name: string): string | undefined {
  const value = given[name];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}

const flagIn = (given: Given, name: string) =>
  [true, 1, 'true', '1', 't', 'on'].includes(given[name] as string);

function languageIn(given: Given, faults: Faults): Judge0Language | undefined {
  const text = textIn(given, 'language_id')?.trim() ?? '';
  if (text === '') faults.add('language_id', "can't be blank");
  const language = /^\d{1,9}$/.test(text) ? judge0Language(Number(text)) : undefined;
  if (language === undefined && text !== '')
    faults.add('language_id', `language with id ${text.slice(0, 64).toWellFormed()} doesn't exist`);
  return language;
}

function sourceIn(source: Buffer | undefined, language: Judge0Language | undefined, faults: Faults) {
  const blank = source === undefined || /^\s*$/.test(source.toString('latin1'));
  if (language?.id === multiFileId) {
    if (!blank) faults.add('source_code', 'should be blank');
    return undefined;
  }
  if (blank) faults.add('source_code', "can't be blank");
  return source;
}

function numbersIn(given: Given, policy: RunPolicy, faults: Faults) {
  const bounds = boundsFor(policy);
  const own = new Set<NumberName>();
  const values = {} as Record<NumberName, number>;
  for (const name of numberNames) {
    const bound = bounds[name];
    const text = textIn(given, name)?.trim() ?? '';
    if (text !== '') own.add(name);
    values[name] = text === '' ? bound.usual : Number(text);
    const fault = text === '' ? undefined : numberFault(text, bound);
    if (fault !== undefined) faults.add(name, fault);
    else if (bound.whole) values[name] = Math.trunc(values[name]);
  }
  return { values, given: own };
}

function numberFault(text: string, { whole, least, above = false, most }: Bound): string | undefined {
  const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  // As Ruby writes its floats.
  const shown = (bound: number) => (whole || !Number.isInteger(bound) ? String(bound) : `${bound}.0`);
  if (Number.isNaN(value)) return 'is not a number';
  if (above && value <= least) return `must be greater than ${shown(least)}`;
  if (value < least) return `must be greater than or equal to ${shown(least)}`;
  return value > most ? `must be less than or equal to ${shown(most)}` : undefined;
}

function argsIn(line: string | null, faults: Faults): string[] {
  if (line === null) return [];
  const name = 'command_line_arguments';
  const args = line.length > maxLineLength ? undefined : shellWords(line);
  if (line.length > maxLineLength) faults.add(name, `is too long (maximum is ${maxLineLength} characters)`);
  else if (args === undefined) faults.add(name, 'has a quote that is not closed');
  return args ?? [];
}

function filesIn(given: Given, language: Judge0Language | undefined, faults: Faults): ZipFile[] {
  const name = 'additional_files';
  const text = textIn(given, name) ?? '';
  if (text === '') {
    if (language?.id === multiFileId) faults.add(name, "can't be blank");
    return [];
  }
  try {
    const bounds = { files: maxExtractFiles, bytes: maxExtractKb * 1024 };
    const files = unzip(Buffer.from(text, 'base64'), bounds);
    if (language?.id === multiFileId && !files.some(({ path }) => path === 'run'))
      faults.add(name, 'must have a script `run` at its root');
    return files;
  } catch (error) {
    if (!(error instanceof ZipFault)) throw error;
    faults.add(name, error.message);
    return [];
  }
}

/** What the operator, or Runlet, does not do: it is refused, so that nobody waits for it. */
function refuseUnoffered(given: Given, settings: Settings, policy: RunPolicy, faults: Faults): void {
  if ((textIn(given, 'callback_url') ?? '') !== '')
    faults.add('callback_url', 'setting callback is not allowed');
  if (settings.enable_network && !policy.allowEgress)
    faults.add('enable_network', 'enabling network is not allowed');
}
