import type { Command } from 'commander';
import type { Streams } from '../context.ts';

export type CommandModule = {
  /** Gives the command its arguments, options and action. The action passes its exit code to `finish`. */
  add: (command: Command, streams: Streams, finish: (exitCode: number) => void) => void;
};

type Entry = { aliases?: readonly string[]; summary: string; load: () => Promise<CommandModule> };

/**
 * Every command, in the order of the help, with its line there. A module is loaded only when its command is used: to load all of them
 * took most of the time of `runlet --help`.
 */
export const commands = {
  run: { summary: 'run an image, or code, once and show its output', load: () => import('./run.ts') },
  judge: {
    summary: 'run a program against a folder of tests, and say of each what became of it',
    load: () => import('./judge.ts'),
  },
  ps: {
    aliases: ['list', 'ls'],
    summary: 'list runs, the newest first; by default those that have not ended',
    load: () => import('./ps.ts'),
  },
  logs: {
    summary: 'show the output of a run or a service, stdout and stderr apart',
    load: () => import('./logs.ts'),
  },
  attach: { summary: 'talk to an interactive run; leaving lets it go on', load: () => import('./attach.ts') },
  artifacts: {
    summary: 'list the files that a run kept, or fetch them',
    load: () => import('./artifacts.ts'),
  },
  show: { summary: 'show all that is known of a run', load: () => import('./show.ts') },
  cancel: { summary: 'end runs that are queued or running', load: () => import('./cancel.ts') },
  rm: {
    summary: 'forget runs that have ended, with their output; stop and remove services',
    load: () => import('./rm.ts'),
  },
  up: {
    summary: 'start a service: a container that is kept alive, reached through the server',
    load: () => import('./up.ts'),
  },
  services: { summary: 'list services, the newest first; or show one', load: () => import('./services.ts') },
  start: { summary: 'start services, and wait until they are ready', load: () => import('./start.ts') },
  stop: { summary: 'stop services', load: () => import('./stop.ts') },
  restart: {
    summary: 'stop services, start them again, and wait until they are ready',
    load: () => import('./restart.ts'),
  },
  exec: {
    summary: 'run a program inside a service; exits with its exit code',
    load: () => import('./exec.ts'),
  },
  cp: { summary: 'copy a file or a folder into a service, or out of it', load: () => import('./cp.ts') },
  open: {
    summary: 'open a service in the browser, by a signed URL that expires',
    load: () => import('./open.ts'),
  },
  volumes: {
    summary: 'list, show and remove the named volumes of services',
    load: () => import('./volumes.ts'),
  },
  languages: { summary: 'list the languages that code can be run in', load: () => import('./languages.ts') },
  webhooks: {
    summary: 'have results pushed: endpoints, their deliveries, and events as they happen',
    load: () => import('./webhooks.ts'),
  },
  images: { summary: 'list the images that the workers have', load: () => import('./images.ts') },
  pull: {
    summary: 'pull an image to the workers, so that its first run starts at once',
    load: () => import('./pull.ts'),
  },
  rmi: { summary: 'remove an image from the workers', load: () => import('./rmi.ts') },
  registry: {
    summary: 'give and take away the credentials of private registries',
    load: () => import('./registry.ts'),
  },
  keys: { summary: 'make, list and take back API keys (needs an admin’s)', load: () => import('./keys.ts') },
  login: {
    summary: 'store the address and the key of a server, once the server has taken the key',
    load: () => import('./login.ts'),
  },
  workers: {
    summary: 'list the workers: their engines, capacity and load',
    load: () => import('./workers.ts'),
  },
  drain: {
    summary: 'let a worker finish what it has and take nothing new',
    load: () => import('./drain.ts'),
  },
  undrain: { summary: 'let a worker that was drained take runs again', load: () => import('./undrain.ts') },
  doctor: {
    summary: 'check config, server, Redis, workers, engines and disks; say what to do',
    load: () => import('./doctor.ts'),
  },
  config: {
    summary: 'show the server and the key that are in effect, and where they come from',
    load: () => import('./config.ts'),
  },
  completion: {
    summary: 'print a script by which a shell completes commands, options and names',
    load: () => import('./completion.ts'),
  },
  version: { summary: 'print the version of this CLI', load: () => import('./version.ts') },
} as const satisfies Record<string, Entry>;

export type CommandName = keyof typeof commands;

export const commandNames = Object.keys(commands) as CommandName[];

/** Adds a command to the program by its name and its line in the help. What it takes is its module's to add. */
export function addEntry(program: Command, name: CommandName): Command {
  const { aliases = [], summary }: Entry = commands[name];
  return program.command(name).aliases(aliases).description(summary);
}

/** The first word that is no option of the program's own. */
export function firstWord(argv: readonly string[]): string | undefined {
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--url' || word === '--api-key') index += 1;
    else if (!word.startsWith('-')) return word;
  }
  return undefined;
}

/** The command that has this name, or is also called so. */
export function commandOf(word: string): CommandName | undefined {
  return commandNames.find((name) => {
    const { aliases = [] }: Entry = commands[name];
    return name === word || aliases.includes(word);
  });
}
