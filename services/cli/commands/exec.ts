import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { UsageError } from '../errors.ts';
import { services } from '../ids/kinds.ts';
import { resolveService } from '../ids/resolve.ts';
import { parseDuration } from '../parse/duration.ts';
import { parseSize } from '../parse/size.ts';
import { checkTerminal } from '../run/options.ts';
import type { ExecOptions } from '../services/exec.ts';
import { addCommonOptions, examples } from './common.ts';
import { as, each, text } from './option.ts';

const aloneWithout = {
  interactive: 'stdin of ours',
  tty: 'terminal',
  timeout: 'time limit',
  cpuTime: 'limit of CPU time',
  outputLimit: 'output that is kept',
};

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .usage('[options] NAME [--] COMMAND...\n       runlet exec --list NAME')
    .argument('<name>', 'the service’s name or id')
    .argument('[command...]', 'the program and its arguments')
    .passThroughOptions()
    .option('-i, --interactive', 'our stdin is the program’s, as it comes, for as long as it runs')
    .option('-t, --tty', 'a terminal for the program; with -i')
    .option('-d, --detach', 'start it and leave it to itself: it ends with the service')
    .option('--list', 'show what runs inside the service, and what was detached and has ended')
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
        "runlet exec -d web sh -c 'exec my-job > /proc/1/fd/1 2>&1'",
        'runlet exec --list web',
      ),
    );
  addCommonOptions(command).action(
    async (given: string, words: string[], options: ExecOptions & { list?: boolean }) => {
      if (options.list) {
        if (words.length > 0) throw new UsageError('--list runs nothing: leave the command out.');
        const { listIn } = await import('../services/exec-detached.ts');
        const context = openContext(command, streams);
        return listIn(context, await resolveService(context.api, services, given));
      }
      if (words.length === 0) throw new UsageError('Say what to run: `runlet exec NAME COMMAND...`.');
      if (options.detach) {
        for (const flag of ['interactive', 'tty', 'timeout', 'cpuTime', 'outputLimit'] as const)
          if (options[flag] !== undefined)
            throw new UsageError(`-d leaves the program to itself: it has no ${aloneWithout[flag]}.`);
        const { detachIn } = await import('../services/exec-detached.ts');
        const context = openContext(command, streams);
        const name = await resolveService(context.api, services, given);
        return finish(await detachIn(context, name, words, options));
      }
      checkTerminal(options);
      const { executeIn } = await import('../services/exec.ts');
      const context = openContext(command, streams);
      const name = await resolveService(context.api, services, given);
      finish(await executeIn(context, name, words, options));
    },
  );
}
