import { readdirSync, readFileSync } from 'node:fs';

export const root = new URL('../../', import.meta.url).pathname;

/** Every page of the project, by its path below the root. */
export const pages = new Map(
  ['README.md', ...readdirSync(`${root}infra/docs`).map((name) => `infra/docs/${name}`)].map((path) => [
    path,
    readFileSync(`${root}${path}`, 'utf8'),
  ]),
);

/** The pages that lead a reader from one command to the next. */
export const followed = [
  'README.md',
  ...['KEYS', 'BACKUP', 'UPGRADE', 'TLS', 'NODES', 'UNINSTALL'].map((name) => `infra/docs/${name}.md`),
];

/** A page's blocks of one language, in order. */
export const blocks = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  );

/** Something to type, and what the page says it prints, if it says so; `…` stands for anything. */
export type Step = { command: string; output: string | undefined };

/** A block of any language; or code in a sentence, if it is a command of ours or of a tool that a reader needs. */
const typed =
  /^```(\w*)\n([\s\S]*?)^```$|`((?:sudo )?(?:npm (?:start|test|run)|(?:runlet|docker|git|curl)\s)[^`]*)`/gm;

type Found = Step & { inSentence: boolean };

const found = (page: string): Found[] =>
  [...page.matchAll(typed)].flatMap(([, language, block = '', sentence]): Found[] => {
    if (sentence !== undefined)
      return [{ command: sentence.replaceAll(/\s+/g, ' '), output: undefined, inSentence: true }];
    if (language === 'sh')
      return lines(block).map((command) => ({ command, output: undefined, inSentence: false }));
    if (language !== 'console') return [];
    return block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...output] = part.split('\n');
        return { command, output: output.join('\n').trimEnd(), inSentence: false };
      });
  });

const lines = (block: string) => block.trim().split('\n');

/** All that a reader of the page is told to type, in order. What a sentence only mentions stands in a block, here or on another page. */
export function stepsOf(path: string): Step[] {
  const all = followed.flatMap((one) => found(pages.get(one) ?? ''));
  const inBlocks = new Set(all.filter(({ inSentence }) => !inSentence).map(({ command }) => command));
  return found(pages.get(path) ?? '').filter((step) => !(step.inSentence && inBlocks.has(step.command)));
}

/** A page's sentences, without its blocks. An entry of a list or of a table begins and ends one. */
export function sentencesOf(page: string): string[] {
  return page
    .replaceAll(/^```[\s\S]*?^```$/gm, '\n')
    .split(/\n\s*\n|\n(?=[|#-]|\d+\. )|(?<=^\|.*)\|/m)
    .flatMap((part) => part.split(/(?<=[.!?])\s+/))
    .map((sentence) => sentence.replaceAll(/\s+/g, ' ').trim())
    .filter((sentence) => sentence !== '');
}

/** Text with neither a letter nor a digit is no word. */
export const wordsIn = (sentence: string): number =>
  sentence.split(' ').filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
