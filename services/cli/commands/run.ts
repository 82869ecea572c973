import { type Command, Option } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { parseDuration } from '../parse/duration.ts';
import { parseCount, parseCpus, parseWhole } from '../parse/number.ts';
import { parsePair } from '../parse/pairs.ts';
import { parseSize } from '../parse/size.ts';
import type { RunOptions } from '../run/options.ts';
import { addCommonOptions, examples } from './common.ts';
import { as, each, text } from './option.ts';

const exitCodes = `
Exit code: the program's own; 128+n when signal n ended it; 124 timed out; 130 cancelled; 137 out of memory;
1 output limit reached; 125 Runlet or the image could not run it; 2 the command line is wrong.
Times are like 500ms, 10s, 1m30s; sizes like 64m, 1g. A first Ctrl-C cancels the run, a second leaves at once; with -it
every key is the program's.
A file here whose language is known by its name is a program; ./FILE always is. The first is the one that is run, unless
another has the language's own name (see \`runlet languages\`); the others lie beside it.`;

export function add(program: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = program
    .command('run')
    .description('run an image, or code, once and show its output')
    .usage('[options] IMAGE [--] [COMMAND...]\n       runlet run [options] FILE [FILE...] [-- ARG...]')
    .argument(
      '[what...]',
      'any image reference, as for Docker, or an image’s id, and its command; or a program and its files',
    )
    .passThroughOptions()
    .option('--lang <language>', 'the language of the program, as in python or python@3.11')
    .option('-c, --code <code>', 'the program itself; needs --lang (and "-" reads it from stdin)')
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
    .option('--timeout <time>', 'most time that the program may take', as(parseDuration))
    .option('--cpu-time <time>', 'most CPU time that the program may take', as(parseDuration))
    .option('-m, --memory <size>', 'most memory, swap included', as(parseSize))
    .option('--stack <size>', 'most stack, in place of all memory', as(parseSize))
    .option('--cpus <number>', 'CPUs, in fractions', as(parseCpus))
    .option('--pids <number>', 'most processes and threads at one time', as(parseCount))
    .option('--output-limit <size>', 'most output kept; more ends the run', as(parseSize))
    .option('--disk <size>', 'size of each writable folder', as(parseSize))
    .addOption(new Option('--network <mode>', 'network access').choices(['none', 'egress']))
    .addOption(new Option('--isolation <kind>', 'kind of sandbox').choices(['container', 'gvisor']))
    .addOption(new Option('--pull <when>', 'when to pull the image').choices(['missing', 'always', 'never']))
    .option('--priority <number>', 'higher goes first', as(parseWhole))
    .option('--delay <time>', 'do not start before so much time', as(parseDuration))
    .option('--retries <number>', 'run again when the worker or its engine was lost', as(parseWhole))
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
