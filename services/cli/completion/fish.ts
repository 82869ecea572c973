import type { Node } from './tree.ts';
import { pathCases } from './words.ts';

/** For fish, with the descriptions of commands and options. */
export function fishScript(tree: readonly Node[]): string {
  return `# Completion of runlet for fish. Keep it: runlet completion fish > ~/.config/fish/completions/runlet.fish
function __runlet_at
    set -l at ''
    for word in (commandline -opc)[2..]
        switch "$at $word"
${pathCases(tree, (from, name, to) => `            case '${from} ${name}'\n                set at '${to}'`)}
        end
    end
    test "$at" = "$argv[1]"
end
complete -c runlet -e
${tree.flatMap((node) => [...childrenOf(node), ...flagsOf(node), ...namesOf(node)]).join('\n')}
`;
}

const at = ({ path }: Node) => `complete -c runlet -n '__runlet_at "${path}"'`;

function childrenOf(node: Node): string[] {
  return node.children.flatMap(({ names, description }) =>
    names.map((name) => `${at(node)} -f -a ${name} -d '${description}'`),
  );
}

function flagsOf(node: Node): string[] {
  return node.flags.map(({ words, description, takesValue, choices }) => {
    const named = words.map((word) =>
      word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`,
    );
    const value = choices.length > 0 ? ` -x -a '${choices.join(' ')}'` : takesValue ? ' -r' : '';
    return `${at(node)} ${named.join(' ')}${value} -d '${description}'`;
  });
}

const lists = {
  runs: 'runlet ps -aq --limit 20 --quiet 2>/dev/null',
  services: 'runlet services -q --quiet 2>/dev/null',
};

function namesOf(node: Node): string[] {
  if (node.names === undefined) return [];
  const list = node.names === 'both' ? `${lists.services}; ${lists.runs}` : lists[node.names];
  return [`${at(node)} -f -a '(${list})'`];
}
