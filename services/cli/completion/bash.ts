import type { Node } from './tree.ts';
import { pathCases, words } from './words.ts';

/** For bash 4 and later. It needs nothing else, neither bash-completion nor us while something is typed, but for names. */
export function bashScript(tree: readonly Node[]): string {
  return `# Completion of runlet for bash. Have it in every shell: source <(runlet completion bash) in ~/.bashrc
_runlet() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} at='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
${pathCases(tree, (from, name, to) => `      '${from} ${name}') at='${to}' ;;`)}
    esac
  done
  case "$at $before" in
${tree.flatMap((node) => choicesOf(node)).join('\n')}
  esac
  local list=
  if [[ $word == -* ]]; then
    case "$at" in
${tree.map((node) => `      '${node.path}') list='${words(node).flags.join(' ')}' ;;`).join('\n')}
    esac
  else
    case "$at" in
${tree
  .filter((node) => node.children.length > 0)
  .map((node) => `      '${node.path}') list='${words(node).children.join(' ')}' ;;`)
  .join('\n')}
${tree.flatMap((node) => namesOf(node)).join('\n')}
    esac
  fi
  # Not by compgen -W: it would expand what stands in a name.
  for i in $list; do
    if [[ $i == "$word"* ]]; then COMPREPLY+=("$i"); fi
  done
}
complete -o default -F _runlet runlet
`;
}

function choicesOf({ path, flags }: Node): string[] {
  return flags
    .filter(({ choices }) => choices.length > 0)
    .map(({ words: own, choices }) => {
      const patterns = own.map((word) => `'${path} ${word}'`).join(' | ');
      return `    ${patterns}) COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$word")); return ;;`;
    });
}

const lists = {
  runs: '$(runlet ps -aq --limit 20 --quiet 2>/dev/null)',
  services: '$(runlet services -q --quiet 2>/dev/null)',
};

function namesOf({ path, names }: Node): string[] {
  if (names === undefined) return [];
  const list = names === 'both' ? `${lists.services} ${lists.runs}` : lists[names];
  return [`      '${path}') list="${list}" ;;`];
}
