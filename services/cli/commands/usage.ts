import type { Command } from 'commander';
import { commandOf, firstWord } from './index.ts';

/**
 * The arguments as commander is to read them. It answers `help NAME` and `NAME --help` with the whole help where there is no such
 * command, and `help NAME SUB` with the help of NAME.
 */
export function understood(argv: string[]): string[] {
  const first = firstWord(argv);
  if (first === undefined || commandOf(first) !== undefined) return argv;
  if (first !== 'help') return asksHelp(argv) ? [first] : argv;
  const [, ...topic] = argv.slice(argv.indexOf('help')).filter((word) => !word.startsWith('-'));
  const [name] = topic;
  if (name === undefined || name === 'help') return argv;
  return commandOf(name) === undefined ? [name] : [...topic, '--help'];
}

const asksHelp = (argv: readonly string[]) => argv.some((word) => word === '--help' || word === '-h');

/** The command that the arguments name, with its subcommand: `runlet webhooks add`. */
export function pathOf(program: Command, argv: readonly string[]): string[] {
  const path = [program.name()];
  let at = program;
  for (const word of argv) {
    const next = at.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (next === undefined) {
      if (at === program || word.startsWith('-')) continue;
      break;
    }
    at = next;
    path.push(word);
  }
  return path;
}

/** Commander's message as a sentence. Where a value is wrong, the option, the value and the reason are enough. */
export function usageText(message: string): string {
  const text = message.replace(/^error: /, '').replace(/\n/g, ' ');
  for (const [pattern, sentence] of sentences) {
    const found = pattern.exec(text);
    if (found !== null) return sentence(...found.slice(1).map((part) => part ?? ''));
  }
  return /[.!?)]$/.test(text) ? text : `${text}.`;
}

const sentences: [RegExp, (...parts: string[]) => string][] = [
  [
    /^option '(?:-\w, )?(-[\w-]+)[^']*' argument '(.*)' is invalid\. (.*)$/,
    (option, value, reason) => `${option} ${value}: ${reason}`,
  ],
  [
    /^command-argument value '(.*)' is invalid for argument '.*'\. (.*)$/,
    (value, reason) => `${value}: ${reason}`,
  ],
  [
    /^option '(?:-\w, )?(-[\w-]+) (\S+)' argument missing$/,
    (option, value) => `${option} needs a value: ${option} ${value}.`,
  ],
  [/^required option '(?:-\w, )?(-[\w-]+ \S+)' not specified$/, (option) => `${option} is missing.`],
  [
    /^too many arguments(?: for '(.*)')?\. Expected (\d+) arguments? but got (\d+)(?:: (.*?))?\.?$/,
    (command, expected, got, given) =>
      expected === '0'
        ? `${command} takes no arguments, and got ${given}.`
        : `${command} takes ${expected === '1' ? '1 argument' : `${expected} arguments`}, and got ${got}: ${given}.`,
  ],
];

const withoutArguments: Record<string, string> = {
  images: 'This command only lists: `runlet pull IMAGE` brings one, `runlet rmi IMAGE` removes one.',
  workers: 'This command only lists: `runlet drain WORKER` lets one finish and take nothing new.',
  ps: '`runlet show RUN` shows one run.',
  config: 'This command only shows: `runlet login --url ADDRESS` stores an address and a key.',
  login: 'The address goes with --url. The key is asked for, or read from stdin with --key-stdin.',
};

/** What to type where a command that takes no arguments was given some. */
export const insteadOfArguments = (name: string): string | undefined =>
  Object.hasOwn(withoutArguments, name) ? withoutArguments[name] : undefined;
