import { isUtf8 } from 'node:buffer';
import { limitBounds } from '../../../../shared/contracts/bounds.ts';
import {
  type RunPolicy,
  type RunRequest,
  runRequestSchema,
} from '../../../../shared/contracts/run-request.ts';
import { defaultPayloadBytes } from '../../../../shared/contracts/run-rules.ts';
import { findLanguage, hasCompiler, type Language } from '../../../../shared/languages/index.ts';
import { pathText } from '../../http/zod-problem.ts';
import { Faults } from './faults.ts';
import { memoryBytes } from './judging.ts';
import { keep, marked } from './kept.ts';
import type { Settings } from './settings.ts';
import { shellWords } from './shell-words.ts';
import type { Submission } from './submission.ts';

const KB = 1024;

/** How the script of a program of several files says that its `compile` failed: no other exit code is Judge0's to give. */
export const notCompiledCode = 213;
const multiFileScript = `if [ -f compile ]; then
  bash ./compile >/tmp/compile.out 2>&1 || { cat /tmp/compile.out >&2; exit ${notCompiledCode}; }
fi
exec bash ./run "$@"`;
const multiFileName = 'main';

/** The request of our own that does what a submission asks for; or what is wrong with it. */
export function requestOf(submission: Submission, policy: RunPolicy): RunRequest | Faults {
  const { settings } = submission;
  const input = submission.stdin === undefined ? {} : stdinFields(submission.stdin);
  const parsed = runRequestSchema(policy).safeParse({
    ...programOf(submission),
    args: submission.args,
    ...optionsOf(submission),
    // Compiled once, run so many times.
    ...(settings.number_of_runs === 1
      ? input
      : { inputs: Array.from({ length: settings.number_of_runs }, () => input) }),
    limits: limitsOf(submission, policy),
    network: settings.enable_network ? 'egress' : 'none',
    mergeStderr: settings.redirect_stderr_to_stdout,
    metadata: marked,
  });
  const faults = new Faults();
  // It is kept with the request, whose other texts the schema bounds.
  const mostBytes = policy.payloadBytes ?? defaultPayloadBytes;
  if ((submission.expectedOutput?.length ?? 0) > mostBytes)
    faults.add('expected_output', `is too long (maximum is ${mostBytes} bytes)`);
  if (faults.some) return faults;
  if (parsed.success) return { ...parsed.data, compat: keep(submission) };
  for (const { path, message } of parsed.error.issues)
    faults.add(fieldOf(String(path[0])), `${pathText(path)} ${message}`);
  return faults;
}

function stdinFields(stdin: Buffer) {
  const encoding = isUtf8(stdin) ? 'utf8' : 'base64';
  return { stdin: stdin.toString(encoding), stdinEncoding: encoding };
}

/** The image of a program of several files has compilers and interpreters of many kinds. */
function multiFileImage(): string {
  const found = findLanguage('cpp');
  if ('fault' in found) throw new Error('there is no language cpp');
  return found.language.image;
}

function programOf({ language: { language }, source, files }: Submission) {
  const others = files.map(({ path, data, executable }) => ({
    path,
    content: data.toString('base64'),
    encoding: 'base64',
    mode: executable ? '0755' : '0644',
  }));
  if (language === undefined)
    return {
      image: multiFileImage(),
      entrypoint: ['bash', '-c', multiFileScript, multiFileName],
      workdir: '/work',
      files: others,
    };
  const code = source ?? Buffer.alloc(0);
  if (isUtf8(code) && others.length === 0) return { language: language.name, code: code.toString() };
  const main = { path: language.fileName, content: code.toString('base64'), encoding: 'base64' };
  // The zip does not take the place of the source.
  return {
    language: language.name,
    files: [main, ...others.filter(({ path }) => path !== language.fileName)],
  };
}

/** As Judge0, a language without a compiler lets them be. */
function optionsOf({ language: { language }, settings }: Submission) {
  if (language === undefined || !hasCompiler(language) || settings.compiler_options === null) return {};
  // What is no line of words is refused as one word, which no compiler has.
  return { compilerOptions: shellWords(settings.compiler_options) ?? [settings.compiler_options] };
}

function limitsOf({ language: { language }, settings, given }: Submission, { limits: most }: RunPolicy) {
  const within = (value: number, { least }: { least: number }, max: number) =>
    Math.min(Math.max(Math.ceil(value), least), max);
  const memory = memoryBytes(language, settings, given.has('memory_limit'), most.memoryBytes);
  const cpuSeconds = settings.cpu_time_limit + settings.cpu_extra_time;
  const bytes = within(memory, limitBounds.memoryBytes, most.memoryBytes);
  return {
    timeoutMs: within(settings.wall_time_limit * 1000, limitBounds.timeoutMs, most.timeoutMs),
    cpuTimeMs: within(cpuSeconds * 1000, limitBounds.cpuTimeMs, most.timeoutMs),
    memoryBytes: bytes,
    stackBytes: Math.min(within(settings.stack_limit * KB, limitBounds.stackBytes, bytes), bytes),
    pids: within(pidsOf(language, settings, given), limitBounds.pids, most.pids),
    // Judge0 writes the output to files.
    outputBytes: within(settings.max_file_size * KB, limitBounds.outputBytes, most.outputBytes),
  };
}

/** A language whose tools need more threads than Judge0's default has its own default. */
const pidsOf = (language: Language | undefined, settings: Settings, given: Submission['given']) =>
  given.has('max_processes_and_or_threads')
    ? settings.max_processes_and_or_threads
    : Math.max(settings.max_processes_and_or_threads, language?.limits.pids ?? 0);

/** Judge0's name of a field of ours. */
function fieldOf(name: string): string {
  switch (name) {
    case 'code':
      return 'source_code';
    case 'files':
      return 'additional_files';
    case 'stdin':
    case 'inputs':
      return 'stdin';
    case 'args':
      return 'command_line_arguments';
    case 'network':
      return 'enable_network';
    case 'compilerOptions':
      return 'compiler_options';
    case 'limits':
      return 'memory_limit';
    default:
      return 'language_id';
  }
}
