import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { UsageError } from '../errors.ts';
import { parseDuration } from '../parse/duration.ts';
import { parseSize } from '../parse/size.ts';
import type { ExecOptions } from '../services/exec.ts';
import { addCommonOptions, examples } from './common.ts';
import { as, each, text } from './option.ts';

export function add(program: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = program
    .command('exec')
    .description('run a program inside a service; exits with its exit code')
    .usage('[options] NAME [--] COMMAND...')
    .argument('<name>', 'the service’s name or id')
    .argument('<command...>', 'the program and its arguments')
    .passThroughOptions()
    .option('-i, --interactive', 'our stdin is the program’s, as it comes, for as long as it runs')
    .option('-t, --tty', 'a terminal for the program; with -i')
    .option('-e, --env <name=value>', 'set a variable; NAME alone hands on your own (repeatable)', each(text))
    .option('-w, --workdir <path>', 'where it starts')
    .option('--timeout <time>', 'most time that it may take', as(parseDuration))
    .option('--cpu-time <time>', 'most CPU time that it may take', as(parseDuration))
    .option('--output-limit <size>', 'most output kept; more ends it', as(parseSize))
    .addHelpText(
      'after',
      examples(
        'runlet exec web ls -l /',
        'runlet exec -it db mariadb -u root -p',
        'echo hi | runlet exec box cat',
      ),
    );
  addCommonOptions(command).action(async (name: string, words: string[], options: ExecOptions) => {
    if (options.tty && !options.interactive)
      throw new UsageError('-t needs -i: a terminal wants somebody who types.');
    if (options.tty && !process.stdin.isTTY)
      throw new UsageError('stdin is no terminal here: leave out -t, and -i passes it on as it is.');
    const { executeIn } = await import('../services/exec.ts');
    finish(await executeIn(openContext(command, streams), name, words, options));
  });
}
