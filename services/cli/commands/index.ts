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
  exec: () => import('./exec.ts'),
  cp: () => import('./cp.ts'),
  open: () => import('./open.ts'),
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
  doctor: () => import('./doctor.ts'),
  config: () => import('./config.ts'),
  version: () => import('./version.ts'),
} satisfies Record<string, () => Promise<CommandModule>>;

/** The command that the arguments name. `undefined` for help, for a typo and for no arguments. */
export function namedCommand(argv: readonly string[]): keyof typeof commands | undefined {
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--url' || word === '--api-key') index += 1;
    else if (!word.startsWith('-'))
      return Object.hasOwn(commands, word) ? (word as keyof typeof commands) : undefined;
  }
  return undefined;
}
