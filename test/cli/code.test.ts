import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CliOptions, cleanUp, runCli, userFolder } from './support/cli.ts';
import { StubApi } from './support/stub-api.ts';
import { exit, status, stderr, stdout } from './support/stub-runs.ts';

let api: StubApi;
let folder: ReturnType<typeof userFolder>;
beforeEach(async () => {
  api = await new StubApi().start();
  api.script = { events: [status('running'), exit('succeeded', { exitCode: 0 })] };
  folder = userFolder();
  for (const [path, content] of Object.entries({
    'main.py': 'import helper',
    'helper.py': 'x = 1',
    'notes.xyz': 'what is this',
    'src/app.py': 'app',
    'src/lib/util.py': 'util',
    'data/a.txt': 'a',
    'data/deep/b.bin': Buffer.from([0xff, 0xfe]),
    '1.txt': 'one',
    '2.txt': 'two',
  })) {
    mkdirSync(join(folder.path, path, '..'), { recursive: true });
    writeFileSync(join(folder.path, path), content);
  }
});
afterEach(async () => {
  await api.stop();
  folder.remove();
});
afterAll(cleanUp);

const cli = (args: string[], options: CliOptions = {}) =>
  runCli(args, { url: api.url, cwd: folder.path, ...options });
const sent = () => api.requests('POST', '/v1/runs').at(-1)?.body as Record<string, unknown>;

describe('what is run', () => {
  it.each<[name: string, args: string[], request: Record<string, unknown>]>([
    [
      'a file whose language is known by its name',
      ['main.py'],
      { language: 'python', files: [{ path: 'main.py', content: 'import helper' }] },
    ],
    [
      'a file with others, and arguments behind dashes',
      ['main.py', 'helper.py', '--', '-v', '--json', 'x'],
      {
        language: 'python',
        files: [
          { path: 'main.py', content: 'import helper' },
          { path: 'helper.py', content: 'x = 1' },
        ],
        args: ['-v', '--json', 'x'],
      },
    ],
    [
      'a file in a folder, others named from there',
      ['src/app.py', 'src/lib/util.py', 'helper.py'],
      {
        language: 'python',
        files: [
          { path: 'app.py', content: 'app' },
          { path: 'lib/util.py', content: 'util' },
          { path: 'helper.py', content: 'x = 1' },
        ],
      },
    ],
    [
      'a path, which is never an image',
      ['./helper.py'],
      { language: 'python', files: [{ path: 'helper.py', content: 'x = 1' }] },
    ],
    [
      'a file in a language of ours',
      ['--lang', 'bash@5', 'notes.xyz', '--', 'x'],
      { language: 'bash@5', files: [{ path: 'notes.xyz', content: 'what is this' }], args: ['x'] },
    ],
    [
      'code from the command line',
      ['--lang', 'python', '-c', 'print(1)', '--', '-x', 'y'],
      { language: 'python', code: 'print(1)', args: ['-x', 'y'] },
    ],
    [
      'code, its words without dashes',
      ['--lang', 'python', '-c', 'print(1)', 'y'],
      { language: 'python', code: 'print(1)', args: ['y'] },
    ],
    [
      'an image, where the file is of no known language',
      ['notes.xyz', 'main.py'],
      { image: 'notes.xyz', command: ['main.py'] },
    ],
    ['an image, where there is no such file', ['other.py'], { image: 'other.py' }],
    ['an image, where it is a folder', ['data'], { image: 'data' }],
    [
      'an image, its command untouched',
      ['busybox', 'main.py', '--', 'x'],
      { image: 'busybox', command: ['main.py', '--', 'x'] },
    ],
    [
      'an image with files',
      ['--file', 'helper.py', '--file', 'main.py:etc/x.py', 'busybox', 'ls'],
      {
        image: 'busybox',
        command: ['ls'],
        files: [
          { path: 'helper.py', content: 'x = 1' },
          { path: 'etc/x.py', content: 'import helper' },
        ],
      },
    ],
    [
      'a program with a folder, bytes as they are',
      ['--file', 'data', 'main.py'],
      {
        language: 'python',
        files: [
          { path: 'main.py', content: 'import helper' },
          { path: 'data/a.txt', content: 'a' },
          { path: 'data/deep/b.bin', content: '//4=', encoding: 'base64' },
        ],
      },
    ],
    [
      'a folder as the work folder',
      ['--lang', 'python', '--file', 'src:.'],
      {
        language: 'python',
        files: [
          { path: 'app.py', content: 'app' },
          { path: 'lib/util.py', content: 'util' },
        ],
      },
    ],
  ])('%s', async (_, args, request) => {
    const ended = await cli(['run', ...args]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(sent()).toEqual(request);
  });

  it('code from stdin, which is then not the program’s', async () => {
    const ended = await cli(['run', '--lang', 'python', '-', 'a'], { stdin: 'print("ü")' });
    expect(ended.code).toBe(0);
    expect(sent()).toEqual({ language: 'python', code: 'print("ü")', args: ['a'] });
  });

  it('a program that is executable stays so; a link in a folder is not followed', async () => {
    chmodSync(join(folder.path, 'data/a.txt'), 0o755);
    symlinkSync('/etc/passwd', join(folder.path, 'data/link'));
    const ended = await cli(['run', '--file', 'data', 'busybox']);
    expect(ended.stderr).toContain('link is no regular file');
    expect(sent().files).toMatchObject([{ path: 'data/a.txt', mode: '0755' }, { path: 'data/deep/b.bin' }]);
  });

  it('one run for each input', async () => {
    await cli(['run', '--input', '1.txt', '--input', 'data/deep/b.bin', 'main.py'], { stdin: 'not read' });
    expect(sent()).toMatchObject({
      inputs: [
        { stdin: 'one', stdinEncoding: 'utf8' },
        { stdin: '//4=', stdinEncoding: 'base64' },
      ],
    });
    expect(sent()).not.toHaveProperty('stdin');
  });

  it.each<[args: string[], reason: string]>([
    [['./nowhere.py'], 'no file'],
    [['./notes.xyz'], 'name it with --lang'],
    [['/etc/passwd'], 'name it with --lang'],
    [['-c', 'x'], '--lang'],
    [['-'], '--lang'],
    [['main.py', 'nowhere.py'], 'nowhere.py cannot be read'],
    [['main.py', 'data'], 'is a folder'],
    [['--file', 'nowhere', 'busybox'], 'nowhere cannot be read'],
    [['--input', 'nowhere', 'busybox'], 'nowhere cannot be read'],
    [['--lang', 'python', '-c', 'x', '--file', 'main.py'], 'exclude'],
    [['--lang', 'python', '-', '--file', 'main.py'], 'exclude'],
    [['-o', 'results', 'busybox'], '--artifact'],
    [['-d', '-o', 'results', '--artifact', 'x', 'busybox'], 'runlet artifacts'],
    [[], 'Name an image or a file'],
    [['--lang', 'python'], 'Name an image or a file'],
  ])('refuses %j', async (args, reason) => {
    const at =
      args.includes('-') && args.includes('--file') ? ['--file', 'main.py', '--lang', 'python', '-'] : args;
    const ended = await cli(['run', ...at]);
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.stderr).toContain(reason);
    expect(api.seen).toEqual([]);
  });

  it('says in time that it is too much', async () => {
    writeFileSync(join(folder.path, 'large'), Buffer.alloc(8 * 1024 * 1024 + 1));
    const ended = await cli(['run', '--file', 'large', 'busybox']);
    expect(ended).toMatchObject({ code: 2 });
    expect(ended.stderr).toContain('larger than 8 MiB');
    mkdirSync(join(folder.path, 'many'));
    for (let i = 0; i < 1001; i++) writeFileSync(join(folder.path, `many/${i}`), '');
    expect((await cli(['run', '--file', 'many', 'busybox'])).stderr).toContain('more than 1000 files');
  });
});

describe('what is shown', () => {
  const at = (step: string, { type, data }: ReturnType<typeof stdout>) => ({
    type,
    data: { ...(data as object), step },
  });

  it('a compiler’s words, whatever it takes for them, on stderr', async () => {
    api.script.events = [
      status('running'),
      at('compile', stdout('note\n')),
      at('compile', stderr('main.c:1: error\n')),
      exit('failed', { exitCode: 1 }),
    ];
    const ended = await cli(['run', '--lang', 'c', '-c', 'x']);
    expect(ended).toMatchObject({ code: 1, out: '', stderr: 'note\nmain.c:1: error\n' });
  });

  it('the output of inputs one after another, and what became of each', async () => {
    const step = (name: string, state: string, exitCode: number) => ({
      name,
      status: state,
      exitCode,
      signal: null,
      stdout: '',
      stderr: '',
      limit: null,
      stdoutEncoding: 'utf8',
      stderrEncoding: 'utf8',
      wallMs: 12,
      cpuMs: 1,
      maxMemoryBytes: 1,
    });
    api.script = {
      events: [
        at('run[0]', stdout('a\n')),
        at('run[1]', stdout('b\n')),
        at('run[1]', stdout('c\n')),
        exit('failed', { exitCode: 3 }),
      ],
      record: { steps: [step('run[0]', 'succeeded', 0), step('run[1]', 'failed', 3)] as never },
    };
    const ended = await cli(['run', '--input', '1.txt', '--input', '2.txt', 'main.py']);
    expect(ended).toMatchObject({ code: 3, out: 'a\nb\nc\n' });
    expect(ended.stderr.split('\n').map((line) => line.replace('runlet: ', ''))).toEqual([
      'run[0]:',
      'run[1]:',
      'run[0]: succeeded, 12 ms',
      'run[1]: failed (exit code 3), 12 ms',
      '',
    ]);
    const quiet = await cli(['run', '-q', '--input', '1.txt', 'main.py']);
    expect(quiet).toMatchObject({ out: 'a\nb\nc\n', stderr: '' });
  });
});

describe('runlet languages', () => {
  it('lists them, for people and for machines', async () => {
    const { out, code } = await cli(['languages']);
    expect(code).toBe(0);
    expect(out.split('\n')[0]).toMatch(/^LANGUAGE +VERSION +ALIASES +FILE +IMAGE$/);
    expect(out).toMatch(/^python +3\.11\.2 +py, python3 +main\.py +python:3\.11$/m);
    expect(JSON.parse((await cli(['languages', '--json'])).out).data[0].name).toBe('python');
  });
});
