import { readdirSync, readFileSync } from 'node:fs';

export const root = new URL('../../', import.meta.url).pathname;

/** Every page of the project, by its path below the root. */
export const pages = new Map(
  ['README.md', ...readdirSync(`${root}infra/docs`).map((name) => `infra/docs/${name}`)].map((path) => [
    path,
    readFileSync(`${root}${path}`, 'utf8'),
  ]),
);

/** A page's blocks of one language, in order. */
export const blocks = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  );
