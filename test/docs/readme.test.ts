import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ensureLoaded } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { blocks, pages, root } from './pages.ts';

const run = promisify(execFile);
const readme = pages.get('README.md') ?? '';

/** A command and what the README says it prints; `…` stands for anything. */
const examples = blocks(readme, 'console').map((block) => {
  const [first = '', ...output] = block.split('\n');
  return { command: first.replace(/^\$ /, ''), output: output.join('\n').trimEnd() };
});

const pattern = (output: string) =>
  new RegExp(
    `^${output
      .split('…')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('[\\s\\S]*')}$`,
  );

const lab = inject('lab');
let runlet: Runlet;
// Building Python's image takes half a minute where that has not been done before.
beforeAll(async () => {
  await ensureLoaded(lab, 'python');
  runlet = await startRunlet(lab);
}, 300_000);
afterAll(async () => {
  await runlet.stop();
});

test('there are five examples', () => {
  expect(examples).toHaveLength(5);
});

describe('each example prints what the README says', () => {
  test.each(examples)('$command', async ({ command, output }) => {
    const { stdout } = await run('bash', ['-c', `exec 2>&1 </dev/null\n${command}`], {
      cwd: root,
      env: {
        ...process.env,
        PATH: `${root}infra/bin:${process.env.PATH}`,
        RUNLET_URL: runlet.url,
        RUNLET_API_KEY: runlet.apiKey,
        NO_COLOR: '1',
      },
    });
    expect(stdout.trimEnd()).toMatch(pattern(output));
  });
});

test('every other command of README and its pages is executed by a test that is named here', () => {
  const executedBy: Record<string, string> = {
    'npm start': 'test/infra/start.test.ts',
    'npm test': '.ci/run',
    'npm run images -- hello-world busybox': 'test/infra/images.test.ts',
    'npm run bench -- --rounds 40': 'test/docs/bench.test.ts',
    'docker compose up -d --build': 'test/infra/compose.test.ts',
  };
  const commands = [...pages.values()].flatMap((page) =>
    blocks(page, 'sh').flatMap((block) => block.trim().split('\n')),
  );
  expect(commands.toSorted()).toEqual(Object.keys(executedBy).toSorted());
  for (const file of Object.values(executedBy))
    expect([file, existsSync(`${root}${file}`)]).toEqual([file, true]);
});

test.each([...pages])('every link of %s to the project leads to something that is there', (path, page) => {
  const links = [...page.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '');
  expect(links.filter((link) => !existsSync(join(root, dirname(path), link)))).toEqual([]);
});

test('every page is linked from README', () => {
  expect([...pages.keys()].filter((path) => path !== 'README.md' && !readme.includes(`(${path})`))).toEqual(
    [],
  );
});
