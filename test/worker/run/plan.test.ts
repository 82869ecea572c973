import { describe, expect, test } from 'vitest';
import type { ImageInfo } from '../../../services/worker/engine/images.ts';
import { imageOf, languageOf } from '../../../services/worker/images/image-of.ts';
import { planRun } from '../../../services/worker/run/plan.ts';
import { findLanguage } from '../../../shared/languages/index.ts';
import { runRequest } from '../../support/run-request.ts';

const image: ImageInfo = {
  id: 'sha256:1',
  digest: null,
  architecture: 'amd64',
  os: 'linux',
  variant: null,
  entrypoint: ['/entry', 'point'],
  cmd: ['default', 'command'],
  env: ['PATH=/image/bin', 'FROM=image', 'LIST=a=b', 'EMPTY='],
  workdir: '/srv/',
  volumes: [],
  user: '',
  sizeBytes: 1,
  createdAt: '2025-01-01T00:00:00Z',
};
const bare: ImageInfo = { ...image, entrypoint: [], cmd: [], env: [], workdir: '' };
const folders = [{ path: '/tmp' }, { path: '/work' }];

const plan = (fields: Record<string, unknown>, of = image, at: typeof folders | null = folders) =>
  planRun(runRequest.parse(fields.language === undefined ? { image: 'one', ...fields } : fields), of, at);
const argvOf = (fields: Record<string, unknown>, of?: ImageInfo) =>
  plan(fields, of).steps.map(({ argv }) => argv);
const envOf = (fields: Record<string, unknown>, of?: ImageInfo) => plan(fields, of).steps[0]?.env;

describe('the image of a request', () => {
  const python = findLanguage('python');

  test('is the one it names, or its language’s', () => {
    if ('fault' in python) throw new Error('no Python');
    expect(imageOf({ image: 'busybox:1' })).toBe('busybox:1');
    expect(imageOf({ language: 'py@^3' })).toBe(python.language.image);
    expect(languageOf({ language: 'py@^3' })).toBe(python.language);
    expect(languageOf({})).toBeUndefined();
  });

  test.each(['cobol', 'python@2'])('is none for %s, which this worker lacks', (language) => {
    expect(languageOf({ language })).toBeUndefined();
    expect(imageOf({ language })).toBe('');
  });
});

describe('argv', () => {
  test.each<[string, Record<string, unknown>, string[]]>([
    ['the image’s own', {}, ['/entry', 'point', 'default', 'command']],
    ['a command instead of CMD', { command: ['c'] }, ['/entry', 'point', 'c']],
    ['CMD where the command is empty', { command: [] }, ['/entry', 'point', 'default', 'command']],
    ['an entrypoint drops CMD', { entrypoint: ['e'] }, ['e']],
    ['both', { entrypoint: ['e', 'f'], command: ['c'] }, ['e', 'f', 'c']],
    ['an entrypoint that is empty', { entrypoint: [], command: ['c'] }, ['c']],
    ['an entrypoint that is one empty word, as Docker has it', { entrypoint: [''], command: ['c'] }, ['c']],
    ['args behind all of it', { args: ['a', ''] }, ['/entry', 'point', 'default', 'command', 'a', '']],
    ['args behind a command', { command: ['c'], args: ['a'] }, ['/entry', 'point', 'c', 'a']],
  ])('%s', (_, fields, expected) => {
    expect(argvOf(fields)).toEqual([expected]);
  });

  test('of each step, with its own args behind the request’s', () => {
    expect(argvOf({ command: ['c'], args: ['a'], inputs: [{ args: ['x'] }, {}] })).toEqual([
      ['/entry', 'point', 'c', 'a', 'x'],
      ['/entry', 'point', 'c', 'a'],
    ]);
  });

  test('of a language is that language’s, whatever the image says', () => {
    expect(argvOf({ language: 'python', code: '', args: ['a'] })).toEqual([['python3', 'main.py', 'a']]);
    const [compile, run] = argvOf({ language: 'c', code: '', args: ['a'] });
    expect(compile).toEqual(expect.arrayContaining(['gcc', 'main.c']));
    expect(compile).not.toContain('a');
    expect(run).toEqual(['/tmp/program', 'a']);
  });

  test.each([{}, { args: ['a'] }, { entrypoint: [''] }, { command: [] }])(
    'nothing to run, as in %j of an image that says nothing, is told by the image’s name',
    (fields) => {
      expect(() => plan(fields, bare)).toThrow(
        expect.objectContaining({ code: 'image_without_command', message: expect.stringContaining('one') }),
      );
    },
  );
});

describe('environment', () => {
  test('is the image’s over what every sandbox has, and the request’s over both', () => {
    expect(envOf({ env: { FROM: 'request', ADDED: '1', EMPTY: 'no more' } })).toEqual({
      PATH: '/image/bin',
      FROM: 'request',
      LIST: 'a=b',
      EMPTY: 'no more',
      ADDED: '1',
      HOSTNAME: 'runlet',
      HOME: '/work',
      USER: 'runlet',
      LOGNAME: 'runlet',
      LANG: 'C.UTF-8',
    });
    expect(envOf({ env: { PATH: '/mine', HOSTNAME: 'mine' } })).toMatchObject({
      PATH: '/mine',
      HOSTNAME: 'mine',
    });
  });

  test('has Docker’s PATH where the image names none', () => {
    expect(envOf({ command: ['c'] }, bare)).toEqual({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOSTNAME: 'runlet',
      HOME: '/work',
      USER: 'runlet',
      LOGNAME: 'runlet',
      LANG: 'C.UTF-8',
    });
  });

  test.each([
    ['nobody says anything', {}, [], 'C.UTF-8'],
    ['the image names one', {}, ['LANG=cs_CZ.UTF-8'], 'cs_CZ.UTF-8'],
    ['the image says it by LC_ALL', {}, ['LC_ALL=C'], undefined],
    ['the request names one', { LANG: 'POSIX' }, ['LANG=cs_CZ.UTF-8'], 'POSIX'],
    ['the request wants none', { LANG: '' }, [], ''],
    ['the request says it by LC_CTYPE', { LC_CTYPE: 'POSIX' }, [], undefined],
    ['only messages have a language', { LC_MESSAGES: 'cs_CZ', LANGUAGE: 'cs' }, [], 'C.UTF-8'],
  ])('LANG where %s', (_, env, lines, expected) => {
    expect(envOf({ env }, { ...image, env: lines })?.LANG).toBe(expected);
  });

  test('of a language stands between the image’s and the request’s', () => {
    const of = { ...image, env: ['PYTHONUNBUFFERED=image', 'PYTHONDONTWRITEBYTECODE=image', 'FROM=image'] };
    expect(
      envOf({ language: 'python', code: '', env: { PYTHONDONTWRITEBYTECODE: 'request' } }, of),
    ).toMatchObject({ PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: 'request', FROM: 'image' });
  });

  test.each([
    ['the request’s, even where nobody can write', { env: { HOME: '/nowhere' } }, 'HOME=/tmp', '/nowhere'],
    ['the image’s, if it is writable', {}, 'HOME=/tmp/', '/tmp'],
    ['/work, if it is not', {}, 'HOME=/root', '/work'],
    ['/work, if it is only inside of one', {}, 'HOME=/tmp/deeper', '/work'],
  ])('HOME is %s', (_, fields, line, expected) => {
    expect(envOf(fields, { ...image, env: [line] })?.HOME).toBe(expected);
  });

  test('names a terminal where there is one, unless somebody knows better', () => {
    const tty = { interactive: true, tty: true };
    expect(envOf({ interactive: true })).not.toHaveProperty('TERM');
    expect(envOf(tty)?.TERM).toBe('xterm');
    expect(envOf(tty, { ...image, env: ['TERM=linux'] })?.TERM).toBe('linux');
    expect(envOf({ ...tty, env: { TERM: 'dumb' } }, { ...image, env: ['TERM=linux'] })?.TERM).toBe('dumb');
  });

  test('is the same for every step', () => {
    const { steps } = plan({ language: 'c', code: '', env: { A: '1' }, inputs: [{}, {}] });
    expect(steps.map(({ env }) => env.A)).toEqual(['1', '1', '1']);
    expect(steps.map(({ ownEnvironment }) => ownEnvironment)).toEqual([false, false, false]);
  });

  test('within a container that somebody else made is added to that one’s', () => {
    const { steps, workdir } = plan({ env: { A: '1' }, interactive: true, tty: true }, image, null);
    expect(steps).toMatchObject([{ env: { TERM: 'xterm', A: '1' }, ownEnvironment: true }]);
    expect(Object.keys(steps[0]?.env ?? {})).toHaveLength(2);
    expect(plan({ env: { A: '1' } }, image, null).steps[0]?.env).toEqual({ A: '1' });
    // Its init may be one that was mounted before anybody said anything of stacks.
    expect(plan({}, image, null).steps[0]?.stackBytes).toBeUndefined();
    expect(workdir).toBe('/srv');
  });
});

describe('limits', () => {
  const stepsOf = (fields: Record<string, unknown>) =>
    plan(fields).steps.map(({ name, wallMs, cpuMs, outputBytes }) => ({ name, wallMs, cpuMs, outputBytes }));

  test('are each step’s own, and none on the CPU time of a compile', () => {
    const limits = { timeoutMs: 500, cpuTimeMs: 200, outputBytes: 1000 };
    const run = { wallMs: 500, cpuMs: 200, outputBytes: 1000 };
    expect(stepsOf({ language: 'c', code: '', limits, inputs: [{}, {}] })).toEqual([
      // The least time of the language for a compile.
      { name: 'compile', wallMs: 30_000, cpuMs: null, outputBytes: 1000 },
      { name: 'run[0]', ...run },
      { name: 'run[1]', ...run },
    ]);
    expect(stepsOf({ limits })).toEqual([{ name: 'run', ...run }]);
    expect(stepsOf({ language: 'python', code: '', limits })).toEqual([{ name: 'run', ...run }]);
  });

  test('of a compile may be set apart', () => {
    const MiB = 2 ** 20;
    const limits = { timeoutMs: 500, cpuTimeMs: 200, memoryBytes: 64 * MiB };
    const compileLimits = { timeoutMs: 700, cpuTimeMs: 300, memoryBytes: 256 * MiB, outputBytes: 7 };
    const [compile, run] = plan({ language: 'c', code: '', limits, compileLimits }).steps;
    expect(compile).toMatchObject({
      ...{ wallMs: 700, cpuMs: 300, outputBytes: 7 },
      ...{ memoryBytes: 256 * MiB, stackBytes: 256 * MiB },
    });
    expect(run).toMatchObject({
      ...{ wallMs: 500, cpuMs: 200, outputBytes: MiB },
      ...{ memoryBytes: 64 * MiB, stackBytes: 64 * MiB },
    });
    // Those that are not set stay as they are, and no compiler’s stack is more than its memory.
    const less = { language: 'c', code: '', limits: { ...limits, stackBytes: 32 * MiB } };
    expect(plan({ ...less, compileLimits: { memoryBytes: 16 * MiB } }).steps).toMatchObject([
      { wallMs: 30_000, cpuMs: null, outputBytes: MiB, memoryBytes: 16 * MiB, stackBytes: 16 * MiB },
      { memoryBytes: 64 * MiB, stackBytes: 32 * MiB },
    ]);
  });

  test('of memory are told to the runtime of each step', () => {
    const MiB = 2 ** 20;
    const go = { language: 'go', code: '', limits: { memoryBytes: 100 * MiB } };
    const told = plan({ ...go, compileLimits: { memoryBytes: 200 * MiB } }).steps.map(
      ({ env }) => env.GOMEMLIMIT,
    );
    expect(told).toEqual(['180MiB', '90MiB']);
  });

  test('a longer time is a compile’s, too', () => {
    const [compile, run] = stepsOf({ language: 'c', code: '', limits: { timeoutMs: 45_000 } });
    expect(compile).toMatchObject({ name: 'compile', wallMs: 45_000, cpuMs: null });
    expect(run).toMatchObject({ name: 'run', wallMs: 45_000, cpuMs: null });
  });
});

describe('streams', () => {
  test('of a compile are closed, of each input its own', () => {
    const { steps } = plan({ language: 'c', code: '', inputs: [{ stdin: 'one' }, {}] });
    expect(steps.map(({ stdin, stdinOpen, tty }) => [stdin, stdinOpen, tty])).toEqual([
      [undefined, false, undefined],
      [Buffer.from('one'), false, undefined],
      [undefined, false, undefined],
    ]);
  });

  test('stay open where somebody attaches, on a terminal of the usual size if one is wanted', () => {
    const { steps } = plan({ interactive: true, stdin: 'first' });
    expect(steps).toMatchObject([{ stdin: Buffer.from('first'), stdinOpen: true }]);
    expect(steps[0]?.tty).toBeUndefined();
    expect(plan({ interactive: true, tty: true }).steps[0]?.tty).toEqual({ cols: 80, rows: 24 });
    const size = { cols: 120, rows: 40 };
    expect(plan({ interactive: true, tty: true, ...size }).steps[0]?.tty).toEqual(size);
  });
});

describe('workdir and files', () => {
  test.each([
    ['the image’s', {}, '/srv/', '/srv'],
    ['/work, where the image has none', {}, '', '/work'],
    ['/work, where the image’s is the root', {}, '/', '/work'],
    ['the request’s', { workdir: '/data/in/' }, '/srv', '/data/in'],
    ['the root, where the request says so', { workdir: '/' }, '/srv', '/'],
    ['/work for a language, whatever its image says', { language: 'python', code: '' }, '/srv', '/work'],
  ])('it starts in %s', (_, fields, ofImage, expected) => {
    expect(plan(fields, { ...image, workdir: ofImage }).workdir).toBe(expected);
  });

  test('files come in as bytes', () => {
    const files = [{ path: 'a', content: '/w==', encoding: 'base64', mode: '0755' }];
    expect(plan({ files }).files).toEqual([{ path: 'a', data: Buffer.from([255]), mode: 0o755 }]);
    expect(plan({ language: 'python', code: 'x' }).files).toMatchObject([{ path: 'main.py' }]);
  });
});
