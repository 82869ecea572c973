import type { Command } from 'commander';

type Flag = { words: string[]; description: string; takesValue: boolean; choices: readonly string[] };

/** What may be typed after the words of a path, such as `webhooks add`. The empty path is `runlet` itself. */
export type Node = {
  path: string;
  children: { names: string[]; description: string }[];
  flags: Flag[];
  /** What its arguments name, if our own lists tell it. */
  names: 'runs' | 'services' | 'both' | undefined;
};

/** All commands with their options, as the help has them. */
export const completionTree = (program: Command): Node[] => nodesOf(program, []);

function nodesOf(command: Command, path: readonly string[]): Node[] {
  const own: Node = {
    path: path.join(' '),
    children: [
      ...command.commands.map((one) => ({
        names: [one.name(), ...one.aliases()],
        description: firstWords(one.description()),
      })),
      ...(command.registeredArguments[0]?.argChoices ?? []).map((name) => ({
        names: [name],
        description: '',
      })),
    ],
    flags: command.options
      .filter(({ hidden }) => !hidden)
      .map(({ short, long, description, required, optional, argChoices = [] }) => ({
        words: [short, long].filter((word) => word !== undefined),
        description: firstWords(description),
        takesValue: required || optional,
        choices: argChoices,
      })),
    names: namesOf(command),
  };
  const below = command.commands.flatMap((one) => nodesOf(one, [...path, one.name()]));
  return [own, ...below];
}

/** The names of arguments say what they are of. */
function namesOf(command: Command): Node['names'] {
  const [first] = command.registeredArguments.map((argument) => argument.name());
  if (first === 'run|service') return 'both';
  if (first === 'run') return 'runs';
  return first === 'name' && command.parent?.name() === 'runlet' ? 'services' : undefined;
}

/** One line, without what a shell might take for something of its own. */
function firstWords(text: string): string {
  const [line = ''] = text.split(/[\n:;(]/);
  return line.replace(/[^\p{L}\p{N} .,\-–’]/gu, '').trim();
}
