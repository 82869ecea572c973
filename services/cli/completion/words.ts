import type { Node } from './tree.ts';

/** What may be typed at a node: the names of what is below it, and its options. */
export const words = ({ children, flags }: Node): { children: string[]; flags: string[] } => ({
  children: children.flatMap(({ names }) => names),
  flags: flags.flatMap((flag) => flag.words),
});

/** One line for each step from a path to a longer one. An alias leads to the path of its command. */
export function pathCases(
  tree: readonly Node[],
  line: (from: string, name: string, to: string) => string,
): string {
  return tree
    .flatMap(({ path, children }) =>
      children.flatMap(({ names }) =>
        names.map((name) => line(path, name, `${path} ${names[0]}`.trimStart())),
      ),
    )
    .join('\n');
}
