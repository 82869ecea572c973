import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { executedBy, notExecuted } from './not-executed.ts';
import { blocks, followed, pages, root, sentencesOf, stepsOf, wordsIn } from './pages.ts';

const readme = pages.get('README.md') ?? '';

test('there are five examples', () => {
  expect(blocks(readme, 'console')).toHaveLength(5);
});

test('what a newcomer types stands in the first screen', () => {
  const [screen = ''] = readme
    .split('\n')
    .slice(0, 24)
    .join('\n')
    .split(/^## (?!Two commands)/m);
  for (const text of [
    'git clone ADDRESS runlet && cd runlet\nnpm start\n',
    'sudo npm start',
    'Leave it open',
  ])
    expect(screen).toContain(text);
  expect(screen).toContain('runlet run hello-world');
});

test('no sentence of README has more than 30 words', () => {
  const sentences = sentencesOf(readme);
  expect(sentences.length).toBeGreaterThan(40);
  expect(sentences.filter((sentence) => wordsIn(sentence) > 30)).toEqual([]);
});

test('sentences and their words are told apart', () => {
  expect(
    sentencesOf('# A head\nOne two. Three\nfour: five!\n\n- a\n- b c\n\n| d | e f. G |\n```sh\nx. y\n```\n'),
  ).toEqual(['# A head One two.', 'Three four: five!', '- a', '- b c', '| d', 'e f.', 'G']);
  expect(wordsIn('a – `b c`, 4 |')).toBe(4);
});

// Those of the pages that are followed are executed, unless they are listed (first-use.test.ts).
test('every command of the other pages is executed by a test that is named', () => {
  const others = [...pages].filter(([path]) => !followed.includes(path)).map(([, page]) => page);
  const commands = others.flatMap((page) => blocks(page, 'sh').flatMap((block) => block.trim().split('\n')));
  expect(commands.filter((command) => !Object.hasOwn(executedBy, command))).toEqual([]);
});

test('no command is listed that no page has, and each test that is named is there', () => {
  const typed = followed.flatMap(stepsOf).map(({ command }) => command);
  const all = [...pages.values()].join('\n');
  const listed = [...Object.keys(executedBy), ...Object.keys(notExecuted)];
  expect(listed.filter((command) => !typed.includes(command) && !all.includes(command))).toEqual([]);
  for (const file of Object.values(executedBy))
    expect([file, existsSync(`${root}${file}`)]).toEqual([file, true]);
});

test.each([...pages])('every link of %s to the project leads to something that is there', (path, page) => {
  const links = [...page.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
  const broken = links.filter(([, file = '', heading]) => {
    const target = join(root, file === '' ? path : join(dirname(path), file));
    if (!existsSync(target)) return true;
    return heading !== undefined && !headingsOf(readFileSync(target, 'utf8')).includes(heading);
  });
  expect(broken.map(([link]) => link)).toEqual([]);
});

const headingsOf = (page: string): string[] =>
  [...page.matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );

test('every page is linked from README', () => {
  expect([...pages.keys()].filter((path) => path !== 'README.md' && !readme.includes(`(${path})`))).toEqual(
    [],
  );
});
