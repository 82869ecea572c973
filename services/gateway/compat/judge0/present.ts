import { isUtf8 } from 'node:buffer';
import type { Run } from '../../../../shared/contracts/run.ts';
import { type Sent, sentWith } from './kept.ts';
import { judge0Language } from './languages.ts';
import type { Settings } from './settings.ts';
import { describeStatus } from './statuses.ts';
import { tokenOf } from './token.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/** A text that is no UTF-8 was asked for as it is. */
export class NotUtf8 extends Error {}

type Source = { run: Run; sent: Sent; verdict: Verdict };
/** A text is bytes until it is known how it is sent. */
type Value = Buffer | string | number | boolean | object | null;

const setting =
  (name: keyof Settings) =>
  ({ sent }: Source): Value =>
    sent.settings[name];
/** Decimal numbers are texts. */
const decimal = (value: number | null) =>
  value === null ? null : Number.isInteger(value) ? `${value}.0` : String(value);
const seconds = (value: number | null) => decimal(value === null ? null : Math.round(value * 1000) / 1000);
const limit =
  (name: 'cpu_time_limit' | 'cpu_extra_time' | 'wall_time_limit') =>
  ({ sent }: Source): Value =>
    decimal(sent.settings[name]);

/** Every field of a submission, in Judge0's order. */
const fields = {
  source_code: ({ sent }) => sent.source,
  language_id: setting('language_id'),
  stdin: ({ sent }) => sent.stdin,
  expected_output: ({ sent }) => sent.expectedOutput,
  stdout: ({ verdict }) => verdict.stdout,
  status_id: ({ verdict }) => verdict.status,
  created_at: ({ run }) => run.createdAt,
  finished_at: ({ run }) => run.finishedAt,
  time: ({ verdict }) => seconds(verdict.time),
  memory: ({ verdict }) => verdict.memory,
  stderr: ({ verdict }) => verdict.stderr,
  token: ({ run }) => tokenOf(run.id),
  number_of_runs: setting('number_of_runs'),
  cpu_time_limit: limit('cpu_time_limit'),
  cpu_extra_time: limit('cpu_extra_time'),
  wall_time_limit: limit('wall_time_limit'),
  memory_limit: setting('memory_limit'),
  stack_limit: setting('stack_limit'),
  max_processes_and_or_threads: setting('max_processes_and_or_threads'),
  enable_per_process_and_thread_time_limit: setting('enable_per_process_and_thread_time_limit'),
  enable_per_process_and_thread_memory_limit: setting('enable_per_process_and_thread_memory_limit'),
  max_file_size: setting('max_file_size'),
  compile_output: ({ verdict }) => verdict.compileOutput,
  exit_code: ({ verdict }) => verdict.exitCode,
  exit_signal: ({ verdict }) => verdict.exitSignal,
  message: ({ verdict }) => (verdict.message === null ? null : Buffer.from(verdict.message)),
  wall_time: ({ verdict }) => seconds(verdict.wallTime),
  compiler_options: setting('compiler_options'),
  command_line_arguments: setting('command_line_arguments'),
  redirect_stderr_to_stdout: setting('redirect_stderr_to_stdout'),
  callback_url: () => null,
  additional_files: setting('additional_files'),
  enable_network: setting('enable_network'),
  status: ({ verdict }) => describeStatus(verdict.status),
  language: ({ sent }) => {
    const id = sent.settings.language_id;
    return { id, name: judge0Language(id)?.name ?? null };
  },
} satisfies Record<string, (source: Source) => Value>;

export type FieldName = keyof typeof fields;

const usualFields: readonly FieldName[] = [
  'stdout',
  'time',
  'memory',
  'stderr',
  'token',
  'compile_output',
  'message',
  'status',
];

/** The fields that `?fields=` names, or those of them that there are not. */
export function readFields(given: string | undefined): { names: readonly FieldName[]; unknown: string[] } {
  const names = (given ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) return { names: usualFields, unknown: [] };
  if (names.includes('*')) return { names: Object.keys(fields) as FieldName[], unknown: [] };
  return {
    names: names.filter((name) => Object.hasOwn(fields, name)) as FieldName[],
    unknown: names.filter((name) => !Object.hasOwn(fields, name)),
  };
}

export type Form = {
  names: readonly FieldName[];
  base64: boolean;
  /** The most bytes of a text; `undefined`: all of it. */
  cutAt?: number;
};

/** The submission of a run, as answers show it. `undefined`: the run is none of a submission. Throws NotUtf8. */
export function presentSubmission(run: Run, form: Form): Record<string, unknown> | undefined {
  const sent = sentWith(run);
  if (sent === undefined) return undefined;
  const source = { run, sent, verdict: verdictOf(run, sent) };
  return Object.fromEntries(
    form.names.map((name) => {
      const value: Value = fields[name](source);
      return [name, Buffer.isBuffer(value) ? textOf(value, form) : value];
    }),
  );
}

function textOf(text: Buffer, { base64, cutAt = text.length }: Form): string {
  const shown = text.subarray(0, cutAt);
  if (base64) return lines(shown.toString('base64'));
  if (!isUtf8(text)) throw new NotUtf8();
  // A character that is cut in two is left out.
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(shown, { stream: true });
}

/** As Ruby's `encode64` writes it: 60 characters a line. */
const lines = (base64: string) => base64.replaceAll(/.{1,60}/g, '$&\n');
