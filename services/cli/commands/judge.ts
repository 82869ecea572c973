import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import type { JudgeOptions } from '../judge/judge.ts';
import { parseCpuTime, parseMemory, parseOutputLimit, parseStack, parseTimeout } from '../parse/bounded.ts';
import { addCommonOptions, examples } from './common.ts';
import { as, each, text } from './option.ts';

const explained = `
A test is a pair of files in the folder: what the program reads, and what it must write.
  1.in         1.out, 1.ans or 1.a
  input1.txt   output1.txt; both also without .txt
  01           01.a
Others in the folder are left alone. White space at the ends of lines and empty lines at the end make no difference. The
program is compiled once and run once for each test, in one run, in the order of the tests' numbers.
Exit code: 0 every test is accepted; 1 one is not, or the program does not compile; 125 Runlet could not run it;
130 cancelled; 2 the command line is wrong. The limits are for each test; the defaults are those of \`runlet run\`.`;

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .usage('[options] --tests FOLDER FILE [FILE...]')
    .argument('<file...>', 'the program and its files, as for `runlet run`')
    .requiredOption('--tests <folder>', 'where the tests are')
    .option('--lang <language>', 'the language of the program, as in python or python@3.11')
    .option(
      '--file <local[:path]>',
      'put a file, or a folder with all in it, into the work folder (repeatable)',
      each(text),
    )
    .option('--stop-on-failure', 'skip the tests after the first that is not accepted')
    .option('--timeout <time>', 'most time that a test may take', as(parseTimeout))
    .option('--cpu-time <time>', 'most CPU time that a test may take (default: no limit)', as(parseCpuTime))
    .option('-m, --memory <size>', 'most memory, swap included', as(parseMemory))
    .option('--stack <size>', 'most stack (default: all memory)', as(parseStack))
    .option('--output-limit <size>', 'most output of a test', as(parseOutputLimit))
    .addHelpText('after', explained)
    .addHelpText(
      'after',
      examples(
        'runlet judge main.cpp --tests tests',
        'runlet judge --timeout 2s --memory 256m solution.py --tests data/secret',
        'runlet judge --json main.cpp --tests tests | jq ".tests[] | select(.verdict != \\"accepted\\")"',
      ),
    );
  addCommonOptions(command).action(async (words: string[], options: JudgeOptions) => {
    const { judge } = await import('../judge/judge.ts');
    finish(await judge(openContext(command, streams), words, options));
  });
}
