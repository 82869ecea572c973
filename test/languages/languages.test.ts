import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { commandLines, type Language, listLanguages } from '../../shared/languages/index.ts';
import type { Runlet } from '../support/runlet.ts';
import { type FoundSandbox, processesIn, warmSandboxes } from '../support/sandboxes.ts';
import { allPrograms } from './programs.ts';
import { buildingMs, imageOf, startWithLanguages } from './support.ts';

const lab = inject('lab');
/** Each has an image of its own that takes a while to build: with RUNLET_TEST_LANGUAGES=all only. */
const rare = ['commonlisp', 'pascal', 'prolog', 'r', 'sql', 'tcl'];
const programs = allPrograms().filter(
  ({ request: { language } }) =>
    (process.env.RUNLET_TEST_LANGUAGES === 'all' || !rare.includes(language)) &&
    // Written for one processor.
    (language !== 'assembly' || process.arch === 'x64'),
);
const images = programs.map(({ request }) => imageOf(request.language));
let runlet: Runlet;

beforeAll(async () => {
  runlet = await startWithLanguages(programs.map(({ request }) => request.language));
}, buildingMs);

afterAll(() => runlet.stop());

describe('a program of several files in', () => {
  test.each(programs)('$name', { timeout: 300_000 }, async ({ request, expected }) => {
    const run = await runlet.run({ ...request, limits: { timeoutMs: 60_000 } });
    expect(run.steps.map(({ stderr }) => stderr).join('')).toBe('');
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0, error: null, stdout: expected });
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
  /**
   * Each says what the kernel knows of it (proc(5): its stat, the machine's uptime) and then, where its language can tell, for
   * how many seconds it believes that it has run. Lua, Python and Ruby have no clock that starts with the program but that of
   * its CPU time; what waits must not use any. Tcl has none at all.
   */
  const codes: Record<string, string> = {
    bash: 'read -r stat < /proc/self/stat; read -r up < /proc/uptime; printf "%s\\n" "$stat" "$up" "$SECONDS"',
    lua: 'for _, name in ipairs({"self/stat", "uptime"}) do print(io.open("/proc/" .. name):read("l")) end print(os.clock())',
    perl: 'for ("self/stat", "uptime") { open F, "/proc/$_"; print <F>; } print time - $^T, "\\n";',
    php: '<?php foreach (["self/stat", "uptime"] as $name) readfile("/proc/$name"); echo time() - $_SERVER["REQUEST_TIME"], "\\n";',
    python:
      'import time\nfor name in "self/stat", "uptime": print(open("/proc/" + name).read(), end="")\nprint(time.process_time())',
    ruby: 'puts File.read("/proc/self/stat"), File.read("/proc/uptime"), Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)',
    tcl: 'foreach name {self/stat uptime} { puts [gets [open /proc/$name]] }',
  };
  const clockless = ['tcl'];
  const waitMs = 4_000;

  const made = ({ image }: Language) => warmSandboxes(lab.dockerHost, { image });

  async function isHeldIn(one: FoundSandbox | undefined, language: Language): Promise<boolean> {
    const { fileName } = language;
    const { run } = commandLines(language, { entry: fileName, files: [fileName] });
    // It may be one that a run has just left.
    const processes = one === undefined ? [] : await processesIn(lab.dockerHost, one);
    return processes.some((line) => line.endsWith(run.join(' ')));
  }

  /**
   * Until the one that the next run will have, which is the newest, has waited with its program in it. One that was not there in
   * half a second, on a machine with much else to do, was given up: then there is another after the next run. The test's own
   * time limit is the bound.
   */
  async function untilOneHasWaited(language: Language, request: Record<string, unknown>): Promise<void> {
    for (;;) {
      expect((await runlet.run(request)).status).toBe('succeeded');
      let ids: FoundSandbox[];
      do {
        ids = await made(language);
        await sleep(waitMs);
      } while (ids.length === 0 || !isDeepStrictEqual(await made(language), ids));
      if (await isHeldIn(ids[0], language)) return;
    }
  }

  test.each(held)('$name', async (language) => {
    const request = { language: language.name, code: codes[language.name] };
    let [age, clock] = [0, ''];
    // The pool may have replaced the one that was seen to wait.
    for (let tries = 1; tries <= 3 && age * 1000 <= waitMs - 500; tries += 1) {
      await untilOneHasWaited(language, request);
      const { startedWarm, stdout, steps } = await runlet.run(request);
      expect({ startedWarm, stderr: steps[0]?.stderr }).toEqual({ startedWarm: true, stderr: '' });
      const [stat = '', uptime = '', ...rest] = stdout.split('\n');
      clock = rest[0] ?? '';
      // The 22nd field, in the hundredths of a second that Linux tells to every program.
      const startedAt = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) / 100;
      age = Number.parseFloat(uptime) - startedAt;
    }
    // It is the program that waited, and no other that was started when the run came.
    expect(age * 1000).toBeGreaterThan(waitMs - 500);
    if (clockless.includes(language.name)) expect(clock).toBe('');
    // Whole seconds, some of them: 0.9 may be told as 1.
    else expect(age - Number.parseFloat(clock)).toBeGreaterThan(waitMs / 1000 - 1.5);
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
