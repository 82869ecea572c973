import { type Command, Option } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { UsageError } from '../errors.ts';
import { parseDuration } from '../parse/duration.ts';
import { parseCount, parseCpus, parseWhole } from '../parse/number.ts';
import { parsePair } from '../parse/pairs.ts';
import { parseSize } from '../parse/size.ts';
import type { UpOptions } from '../services/request.ts';
import { addCommonOptions, examples } from './common.ts';
import { as, each, text } from './option.ts';

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .usage('[options] IMAGE [options] [--] [COMMAND...]')
    .argument('<image>', 'any image reference, as for Docker')
    .argument('[command...]', 'replaces the image’s command')
    .passThroughOptions()
    .option('--name <name>', 'what it is reached by: http://NAME.localhost:…')
    .option('-p, --port <number>', 'where it serves HTTP and WebSocket', as(parseWhole))
    .option('--tcp <number>', 'a port for raw TCP, published on the worker (repeatable)', each(parseWhole))
    .option('--health <path>', 'ready when a GET of this is answered with 2xx or 3xx')
    .option('--keep <time>', 'how long it lives without a call, or "forever" (default: 10m)', as(keepOf))
    .addOption(
      new Option(
        '--on-idle <what>',
        'then: stop (the next request wakes it), or remove (default: stop)',
      ).choices(['stop', 'remove']),
    )
    .addOption(
      new Option('--restart <when>', 'when it ends by itself (default: on-failure)').choices([
        'always',
        'on-failure',
        'never',
      ]),
    )
    .option('-v, --volume <name:path[:size]>', 'a named volume that outlives it (repeatable)', each(text))
    .option(
      '--file <local[:path]>',
      'put a file, or a folder with all in it, into the work folder (repeatable)',
      each(text),
    )
    .option('-e, --env <name=value>', 'set a variable; NAME alone hands on your own (repeatable)', each(text))
    .option('--env-file <path>', 'read variables from a file, one a line (repeatable)', each(text))
    .option('-w, --workdir <path>', 'where it starts')
    .option('--entrypoint <program>', 'replaces the image’s entrypoint; "" takes it away')
    .option('-m, --memory <size>', 'most memory, swap included (default: 512m)', as(parseSize))
    .option('--cpus <number>', 'CPUs, in fractions (default: 1)', as(parseCpus))
    .option(
      '--disk <size>',
      'what it may write to its root file system, volumes apart (default: 1g)',
      as(parseSize),
    )
    .option('--pids <number>', 'most processes and threads (default: 512)', as(parseCount))
    .addOption(new Option('--network <mode>', 'network access (default: none)').choices(['none', 'egress']))
    .addOption(
      new Option('--isolation <how>', 'what stands between it and the kernel (default: container)').choices([
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
    .option('--no-init', 'the program is PID 1 itself: no init of ours hands on signals and reaps')
    .option('--public', 'anybody may call it, without a key')
    .option('--metadata <name=value>', 'a label (repeatable)', each(parsePair))
    .option('--webhook <url>', 'POST what becomes of it there, beside registered endpoints')
    .option('--webhook-secret <secret>', 'sign with it (else RUNLET_WEBHOOK_SECRET, or one that is made)')
    .addOption(
      new Option('--wait <time>', 'how long to wait until it is ready')
        .argParser(as(parseDuration))
        .default(60_000, '1m'),
    )
    .option('-d, --detach', 'do not wait')
    .addHelpText(
      'after',
      examples(
        'runlet up nginx --name web --port 80',
        'runlet up mariadb:11 --name db --tcp 3306 -v data:/var/lib/mysql -e MARIADB_ROOT_PASSWORD --keep forever',
        'runlet up node:24 --port 3000 --file server.mjs --keep 1h -- node server.mjs',
      ),
    );
  addCommonOptions(command).action(async (image: string, words: string[]) => {
    const programWords = takeOptions(command, words);
    const { bringUp } = await import('../services/up.ts');
    finish(await bringUp(openContext(command, streams), image, programWords, command.opts<UpOptions>()));
  });
}

const keepOf = (text: string) => (text === 'forever' ? text : parseDuration(text));

/**
 * Options may also follow the image: the program mostly comes from the image, so they are almost always meant for us.
 * From the first other word on, or after "--", everything belongs to the program.
 */
function takeOptions(command: Command, words: string[]): string[] {
  const { operands, unknown } = command.parseOptions(words);
  const [stranger] = unknown;
  if (stranger === undefined) return operands;
  throw new UsageError(
    `${stranger} is no option of this command. One of the program’s own goes after "--". See \`runlet up --help\`.`,
  );
}
