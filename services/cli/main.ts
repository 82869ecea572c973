import { Command, CommanderError } from 'commander';
import { addCommonOptions } from './commands/common.ts';
import { addEntry, commandNames, commandOf, commands, firstWord } from './commands/index.ts';
import { insteadOfArguments, pathOf, understood, usageText } from './commands/usage.ts';
import { toProblem, UsageError } from './errors.ts';
import { colorsFor } from './output/colors.ts';
import { printProblem, printProblemJson } from './output/print-error.ts';
import { Sink } from './output/sink.ts';
import { exitOwnFailure } from './run/exit-code.ts';
import { version } from './version.ts';

const argv = understood(process.argv.slice(2));
const streams = {
  out: new Sink(process.stdout),
  err: new Sink(process.stderr),
  json: process.argv.includes('--json'),
};
const word = firstWord(argv);
/** `undefined` for help, for a typo, and for no arguments. */
const name = word === undefined ? undefined : commandOf(word);

process.exitCode = await main();
// Node writes to pipes in the background, so both streams are flushed. A stdin that stays open must not keep the
// process alive.
await Promise.all([streams.out.flush(), streams.err.flush()]);
process.exit();

async function main(): Promise<number> {
  const program = new Command('runlet')
    .description('Runs container images, once each, in fresh isolated containers.')
    .version(version, '-V, --version', 'print the version')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void streams.out.write(text),
      writeErr: (text) => void streams.err.write(text),
      // Errors are printed below, all in the same shape.
      outputError: () => {},
    })
    .addHelpText('after', '\nStart with:\n  $ runlet doctor\n  $ runlet run hello-world');
  addCommonOptions(program);
  let exitCode = 0;
  const finish = (code: number) => {
    exitCode = code;
  };
  // Only the command that is named is loaded, because the start takes most of the time of a short run. The help, and the search for what
  // was misspelt, need no more than names. `completion` tells of all of them.
  for (const one of name === undefined || name === 'completion' ? commandNames : [name]) {
    const command = addEntry(program, one);
    if (name !== undefined) (await commands[one].load()).add(command, streams, finish);
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error, program);
  }
}

async function report(error: unknown, program: Command): Promise<number> {
  // Commander reports help and version as "errors", although they are none. Help that was not asked for is a real
  // error.
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  if (error instanceof CommanderError && error.code === 'commander.help') return 2;
  const usage = error instanceof CommanderError ? await usageError(error, program) : error;
  const problem = toProblem(usage);
  if (streams.json) await printProblemJson(problem, streams.err);
  else await printProblem(problem, streams.err, colorsFor(streams.err, process.env));
  if (process.env.RUNLET_DEBUG && error instanceof Error) await streams.err.line(error.stack ?? '');
  if (usage instanceof UsageError) return 2;
  // Our own failures must have another exit code than the program's.
  return name === 'run' || name === 'exec' || name === 'judge' ? exitOwnFailure : 1;
}

async function usageError(error: CommanderError, program: Command): Promise<UsageError> {
  const instead = await otherWay(error.code, error.message);
  // What is close to a word by its letters is not what was meant, where we know the word.
  const message = instead === undefined ? error.message : error.message.replace(/\(Did you mean .*\)/, '');
  const help = `See \`${[...pathOf(program, argv), '--help'].join(' ')}\`.`;
  return new UsageError([usageText(message.trim()), instead, help].filter(Boolean).join(' '));
}

/** What to type instead, where users of other tools would type this. */
async function otherWay(code: string, text: string): Promise<string | undefined> {
  const wrong = /'(.*?)'/.exec(text)?.[1] ?? '';
  if (code === 'commander.unknownCommand' && name === undefined)
    return (await import('./commands/unknown.ts')).insteadOf(wrong, text.includes('Did you mean'));
  if (code === 'commander.unknownOption' && name !== undefined)
    return (await import('./commands/other-options.ts')).insteadOfOption(name, wrong);
  return code === 'commander.excessArguments' ? insteadOfArguments(name ?? '') : undefined;
}
