import { type Command, Option } from 'commander';
import { limitBounds } from '../../../shared/contracts/bounds.ts';
import { openContext, type Streams } from '../context.ts';
import { formatDuration, formatLimit } from '../output/format.ts';
import {
  parseCpuCount,
  parseCpuTime,
  parseDelay,
  parseDisk,
  parseMemory,
  parseOutputLimit,
  parsePids,
  parsePriority,
  parseRetries,
  parseStack,
  parseTimeout,
} from '../parse/bounded.ts';
import { parsePair } from '../parse/pairs.ts';
import type { RunOptions } from '../run/options.ts';
import { addCommonOptions, examples } from './common.ts';
import { as, each, text } from './option.ts';

const exitCodes = `
Exit code: the program's own; 128+n when signal n ended it; 124 timed out; 130 cancelled; 137 out of memory;
1 output limit reached; 126 the command cannot be executed; 127 it is not in the image; 125 Runlet or the image could
not run it; 2 the command line is wrong.
Times are like 500ms, 10s, 1m30s; sizes like 64m, 1g. A first Ctrl-C cancels the run, a second leaves at once; with -it
every key is the program's.
A file here is a program if its name has an extension, and ./FILE always is; any other name, and one with a tag, is an
image. The first file is the one that is run, unless another has the language's own name (see \`runlet languages\`); the
others lie beside it. The defaults are the server's: a language may have higher ones, an interactive run has 1h, and
more of --cpu-time raises --timeout.`;

const { timeoutMs, memoryBytes, cpus, pids, outputBytes, diskBytes } = limitBounds;

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .usage('[options] IMAGE [--] [COMMAND...]\n       runlet run [options] FILE [FILE...] [-- ARG...]')
    .argument(
      '[what...]',
      'any image reference, as for Docker, or an image’s id, and its command; or a program and its files',
    )
    .passThroughOptions()
    .option('--lang <language>', 'the language of the program, as in python or python@3.11')
    .option('-c, --code <code>', 'the program itself, or "-" to read it from stdin; needs --lang')
    .option(
      '--file <local[:path]>',
      'put a file, or a folder with all in it, into the work folder (repeatable)',
      each(text),
    )
    .option('--input <file>', 'run once for each, with it as stdin; compiled once (repeatable)', each(text))
    .option('--artifact <glob>', 'keep these files of the work folder (repeatable)', each(text))
    .option('-o, --output-dir <folder>', 'fetch what was kept into a folder here')
    .option('-i, --interactive', 'our stdin is the program’s, as it comes, for as long as it runs')
    .option('-t, --tty', 'a terminal for the program; with -i')
    .option('-e, --env <name=value>', 'set a variable; NAME alone hands on your own (repeatable)', each(text))
    .option('--env-file <path>', 'read variables from a file, one a line (repeatable)', each(text))
    .option('-w, --workdir <path>', 'where the program starts')
    .option('--entrypoint <program>', 'replaces the image’s entrypoint; "" takes it away')
    .option(
      '--timeout <time>',
      `most time that the program may take (default: ${formatDuration(timeoutMs.usual)})`,
      as(parseTimeout),
    )
    .option(
      '--cpu-time <time>',
      'most CPU time that the program may take (default: no limit)',
      as(parseCpuTime),
    )
    .option(
      '-m, --memory <size>',
      `most memory, swap included (default: ${formatLimit(memoryBytes.usual)})`,
      as(parseMemory),
    )
    .option('--stack <size>', 'most stack (default: all memory)', as(parseStack))
    .option('--cpus <number>', `CPUs, in fractions (default: ${cpus.usual})`, as(parseCpuCount))
    .option(
      '--pids <number>',
      `most processes and threads at one time (default: ${pids.usual})`,
      as(parsePids),
    )
    .option(
      '--output-limit <size>',
      `most output kept; more ends the run (default: ${formatLimit(outputBytes.usual)})`,
      as(parseOutputLimit),
    )
    .option(
      '--disk <size>',
      `size of each writable folder (default: ${formatLimit(diskBytes.usual)})`,
      as(parseDisk),
    )
    .addOption(new Option('--network <mode>', 'network access (default: none)').choices(['none', 'egress']))
    .addOption(
      new Option('--isolation <kind>', 'kind of sandbox (default: container)').choices([
        'container',
        'gvisor',
      ]),
    )
    .addOption(
      new Option('--pull <when>', 'when to pull the image (default: missing)').choices([
        'missing',
        'always',
        'never',
      ]),
    )
    .option('--priority <number>', '0 to 100, higher goes first (default: 0)', as(parsePriority))
    .option('--delay <time>', 'do not start before so much time, at most 7d (default: 0s)', as(parseDelay))
    .option(
      '--retries <number>',
      'run again, at most 10 times, when the worker or its engine was lost (default: 0)',
      as(parseRetries),
    )
    .option('--writable', 'writable root filesystem')
    .option('--metadata <name=value>', 'a label to find the run by (repeatable)', each(parsePair))
    .option('--webhook <url>', 'POST the finished run there, signed')
    .option(
      '--webhook-secret <secret>',
      'what signs it; the shell’s history keeps it, so prefer RUNLET_WEBHOOK_SECRET (else one is made and printed)',
    )
    .option('-d, --detach', 'print the run’s id and leave it to itself')
    .option('--stdin', 'wait for the end of stdin, however long nothing comes')
    .option('--no-stdin', 'do not read stdin (it is read to its end when it is a pipe or a file)')
    .addHelpText('after', exitCodes)
    .addHelpText(
      'after',
      examples(
        'runlet run hello-world',
        'runlet run busybox -- sh -c "echo out; echo err >&2; exit 3"',
        'echo "some text" | runlet run busybox wc -w',
        'runlet run -e NAME=value --timeout 30s --memory 512m debian env',
        'runlet run --detach --metadata job=nightly busybox sleep 5',
        'runlet run --detach --webhook https://example.com/hooks/runlet debian make-report',
        'runlet run --json hello-world | jq .timings',
        'runlet run main.py helper.py -- first second',
        'runlet run --lang python -c "print(6 * 7)"',
        'runlet run -it python:3.11-slim-bookworm python',
        'runlet run --input 1.txt --input 2.txt solution.c',
        'runlet run --file data --artifact "out/**" -o results report.py',
      ),
    );
  addCommonOptions(command).action(async (words: string[], options: RunOptions) => {
    const { executeRun } = await import('../run/execute.ts');
    finish(await executeRun(openContext(command, streams), words, options));
  });
}
