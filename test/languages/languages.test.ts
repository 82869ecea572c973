import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { commandLines, findLanguage, type Language, listLanguages } from '../../shared/languages/index.ts';
import { docker } from '../support/docker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { allPrograms } from './programs.ts';

const lab = inject('lab');
/** Each has an image of its own that takes a while to build: with RUNLET_TEST_LANGUAGES=all only. */
const rare = ['commonlisp', 'pascal', 'prolog', 'r', 'sql', 'tcl'];
const programs = allPrograms().filter(
  ({ request: { language } }) =>
    (process.env.RUNLET_TEST_LANGUAGES === 'all' || !rare.includes(language)) &&
    // Written for one processor.
    (language !== 'assembly' || process.arch === 'x64'),
);
const images = programs.map(({ request }) => {
  const found = findLanguage(request.language);
  if ('fault' in found) throw new Error(`${request.language}: ${found.fault}`);
  return found.language.image;
});
let runlet: Runlet;
let added: string[] = [];

// On a machine that has built none of the images yet.
const buildingMs = 900_000;

beforeAll(async () => {
  added = await ensureImages(lab, images);
  runlet = await startRunlet(lab);
}, buildingMs);

afterAll(async () => {
  await runlet.stop();
  if (added.length > 0) await docker(lab.dockerHost, 'rmi', '--force', ...added);
});

describe('a program of several files in', () => {
  test.each(programs)('$name', { timeout: 300_000 }, async ({ request, expected }) => {
    const run = await runlet.run(request);
    expect(run.steps.map(({ stderr }) => stderr).join('')).toBe('');
    expect(run.stdout).toBe(expected);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0, error: null });
  });
});

describe('what starts the interpreter in sandboxes made ahead succeeds, and leaves nothing, in', () => {
  const quick = listLanguages().filter(({ warmUp, image }) => warmUp !== undefined && images.includes(image));

  test.each(quick)('$name', async ({ image, warmUp = [], env }) => {
    const command = ['sh', '-c', '"$@" && ls -A /tmp /work', 'sh', ...warmUp];
    const run = await runlet.run({ image, command, env });
    expect(run).toMatchObject({ stdout: '/tmp:\n\n/work:\n', stderr: '', exitCode: 0 });
  });
});

describe('in a sandbox made ahead the program has been started, and does not know how long ago, in', () => {
  const held = listLanguages().filter(({ hold, image }) => hold !== undefined && images.includes(image));
  /** For how many seconds the program believes that it has run, where its language can tell. */
  const clocks: Record<string, string> = {
    bash: 'echo "$SECONDS"',
    lua: 'print(0)',
    perl: 'print time - $^T, "\\n"',
    php: '<?php echo time() - $_SERVER["REQUEST_TIME"], "\\n";',
    python: 'print(0)',
    ruby: 'puts 0',
    tcl: 'puts 0',
  };

  async function untilOneWaits({ image, fileName, ...language }: Language): Promise<void> {
    const { run } = commandLines({ image, fileName, ...language }, { entry: fileName, files: [fileName] });
    const made = ['ps', '-q', '--filter', 'label=dev.runlet.warm', '--filter', `ancestor=${image}`];
    for (;;) {
      const ids = (await docker(lab.dockerHost, ...made)).split('\n').filter((id) => id !== '');
      // One may go while it is looked at.
      const all = ids.map((id) => docker(lab.dockerHost, 'top', id).catch(() => ''));
      const lines = (await Promise.all(all)).flatMap((processes) => processes.trim().split('\n'));
      if (lines.some((line) => line.endsWith(` ${run.join(' ')}`))) return;
      await sleep(100);
    }
  }

  test.each(held)('$name', { timeout: 60_000 }, async (language) => {
    const request = { language: language.name, code: clocks[language.name] };
    expect((await runlet.run(request)).status).toBe('succeeded');
    await untilOneWaits(language);
    await sleep(4_000);
    const { startedWarm, stdout, steps } = await runlet.run(request);
    expect({ startedWarm, stderr: steps[0]?.stderr }).toEqual({ startedWarm: true, stderr: '' });
    expect(Number(stdout)).toBeLessThan(3);
  });
});

describe('code alone', () => {
  const run = async (language: string, code: string, more = {}) => {
    const { status, stdout, steps } = await runlet.run({ language, code, ...more });
    return { status, stdout, steps: steps.map(({ name }) => name), stderr: steps.at(-1)?.stderr ?? '' };
  };

  test('has its types stripped, and no warning about it', async () => {
    const code =
      'const n: number = Number(process.argv[2]);\nimport("node:os").then(() => console.log(n * 2));';
    const ended = await run('ts', code, { args: ['21'] });
    expect(ended).toEqual({ status: 'succeeded', stdout: '42\n', steps: ['run'], stderr: '' });
  });

  test.each([
    ['c', 'int main(void) { return nothing; }', /main\.c:1:.*nothing/],
    ['go', 'package main\nfunc main() { nothing() }', /main\.go:2:.*nothing/],
    ['rust', 'fn main() { nothing(); }', /main\.rs:1:/],
    ['java', 'class Main { int x = nothing; }', /Main\.java:1:.*symbol/],
  ])(
    'that %s does not compile fails there, with the compiler’s words',
    { timeout: 300_000 },
    async (language, code, words) => {
      const ended = await run(language, code);
      expect(ended).toMatchObject({ status: 'failed', steps: ['compile'], stdout: '' });
      expect(ended.stderr).toMatch(words);
    },
  );

  test.each([
    ['python', 'import sys\nsys.exit("gone")', 'gone\n'],
    ['php', '<?php throw new Exception("gone");', 'gone'],
    ['ruby', 'abort "gone"', 'gone\n'],
    ['perl', 'die "gone\\n"', 'gone\n'],
    ['lua', 'error("gone", 0)', 'gone'],
    ['javascript', 'throw new Error("gone")', 'gone'],
  ])('that fails in %s says so on stderr', async (language, code, words) => {
    const ended = await run(language, code);
    expect(ended).toMatchObject({ status: 'failed', stdout: '', steps: ['run'] });
    expect(ended.stderr).toContain(words);
  });
});
