import type { Node } from './tree.ts';
import { pathCases } from './words.ts';

/** For zsh, with the descriptions of commands and options. */
export function zshScript(tree: readonly Node[]): string {
  return `#compdef runlet
# Completion of runlet for zsh. Have it in every shell: source <(runlet completion zsh) in ~/.zshrc, after compinit
_runlet() {
  local at='' i
  local -a list
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
${pathCases(tree, (from, name, to) => `      '${from} ${name}') at='${to}' ;;`)}
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${tree.flatMap((node) => choicesOf(node)).join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    case "$at" in
${tree.map((node) => `      '${node.path}') list=(${flagsOf(node)}) ;;`).join('\n')}
    esac
  else
    case "$at" in
${tree
  .filter((node) => node.children.length > 0)
  .map((node) => `      '${node.path}') list=(${childrenOf(node)}) ;;`)
  .join('\n')}
${tree.flatMap((node) => namesOf(node)).join('\n')}
    esac
  fi
  if (( \${#list} )); then _describe runlet list; else _files; fi
}
if [[ \${funcstack[1]} == _runlet ]]; then _runlet "$@"; else compdef _runlet runlet; fi
`;
}

const item = (word: string, description: string) => `'${word}:${description}'`;

const flagsOf = ({ flags }: Node) =>
  flags.flatMap(({ words, description }) => words.map((word) => item(word, description))).join(' ');

const childrenOf = ({ children }: Node) =>
  children.flatMap(({ names, description }) => names.map((name) => item(name, description))).join(' ');

function choicesOf({ path, flags }: Node): string[] {
  return flags
    .filter(({ choices }) => choices.length > 0)
    .map(({ words, choices }) => {
      const patterns = words.map((word) => `'${path} ${word}'`).join(' | ');
      return `    ${patterns}) compadd -- ${choices.join(' ')}; return ;;`;
    });
}

/** The lines that a command prints, as they are. */
const linesOf = (command: string) => `\${(f)"$(${command} --quiet 2>/dev/null)"}`;

const lists = { runs: linesOf('runlet ps -aq --limit 20'), services: linesOf('runlet services -q') };

function namesOf({ path, names }: Node): string[] {
  if (names === undefined) return [];
  const list = names === 'both' ? `${lists.services} ${lists.runs}` : lists[names];
  return [`      '${path}') list=(${list}) ;;`];
}
