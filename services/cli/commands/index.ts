import type { Command } from 'commander';
import type { Streams } from '../context.ts';

export type CommandModule = {
  /** Adds the command to the program. The command's action passes its exit code to `finish`. */
  add: (program: Command, streams: Streams, finish: (exitCode: number) => void) => void;
};

/** Every command, in the order of the help. Each is loaded only when it is needed. */
export const commands = {
  run: () => import('./run.ts'),
  ps: () => import('./ps.ts'),
  logs: () => import('./logs.ts'),
  attach: () => import('./attach.ts'),
  artifacts: () => import('./artifacts.ts'),
  show: () => import('./show.ts'),
  cancel: () => import('./cancel.ts'),
  rm: () => import('./rm.ts'),
  up: () => import('./up.ts'),
  services: () => import('./services.ts'),
  start: () => import('./start.ts'),
  stop: () => import('./stop.ts'),
  restart: () => import('./restart.ts'),
  exec: () => import('./exec.ts'),
  cp: () => import('./cp.ts'),
  open: () => import('./open.ts'),
  volumes: () => import('./volumes.ts'),
  languages: () => import('./languages.ts'),
  webhooks: () => import('./webhooks.ts'),
  images: () => import('./images.ts'),
  pull: () => import('./pull.ts'),
  rmi: () => import('./rmi.ts'),
  registry: () => import('./registry.ts'),
  keys: () => import('./keys.ts'),
  login: () => import('./login.ts'),
  workers: () => import('./workers.ts'),
  drain: () => import('./drain.ts'),
  undrain: () => import('./undrain.ts'),
  doctor: () => import('./doctor.ts'),
  config: () => import('./config.ts'),
  completion: () => import('./completion.ts'),
  version: () => import('./version.ts'),
} satisfies Record<string, () => Promise<CommandModule>>;

/** Other names of commands. Each command adds its own to the program, too. */
const aliases: Readonly<Record<string, keyof typeof commands>> = { list: 'ps', ls: 'ps' };

/** The first word that is no option of the program's own. */
export function firstWord(argv: readonly string[]): string | undefined {
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--url' || word === '--api-key') index += 1;
    else if (!word.startsWith('-')) return word;
  }
  return undefined;
}

/** Whether there is a command of this name. */
export const isCommand = (word: string): boolean =>
  Object.hasOwn(commands, word) || Object.hasOwn(aliases, word);

/**
 * The command that the arguments name, if it is enough to load that one. `undefined` for help, for a typo, for no
 * arguments, and for `completion`, which tells of all commands.
 */
export function namedCommand(argv: readonly string[]): keyof typeof commands | undefined {
  const word = firstWord(argv);
  if (word === undefined || word === 'completion') return undefined;
  if (Object.hasOwn(aliases, word)) return aliases[word];
  return Object.hasOwn(commands, word) ? (word as keyof typeof commands) : undefined;
}
