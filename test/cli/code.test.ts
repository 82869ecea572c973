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
    tool: 'a program, perhaps',
    Makefile: 'all:',
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
      'an image with a tag, whatever files there are',
      ['notes.xyz:latest', 'main.py'],
      { image: 'notes.xyz:latest', command: ['main.py'] },
    ],
    ['an image with a tag that ends like a program', ['other.py:1'], { image: 'other.py:1' }],
    ['an image in a repository', ['user/other.py'], { image: 'user/other.py' }],
    ['an image, where it is a folder', ['data'], { image: 'data' }],
    ['an image, where it is a file without extension', ['tool'], { image: 'tool' }],
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

  it('code from stdin with -c -, too', async () => {
    const ended = await cli(['run', '--lang', 'python', '-c', '-', 'a'], { stdin: 'print("ü")' });
    expect(ended.code).toBe(0);
    expect(sent()).toEqual({ language: 'python', code: 'print("ü")', args: ['a'] });
  });

  it('in a language that the server has, whether or not this version knows it', async () => {
    expect(await cli(['run', '--lang', 'py3k@1', '-c', 'x'])).toMatchObject({ code: 2 });
    api.languages.push({ ...api.languages[0], name: 'py3k', aliases: [] } as (typeof api.languages)[0]);
    await cli(['run', '--lang', 'py3k@1', '-c', 'x']);
    expect(sent()).toEqual({ language: 'py3k@1', code: 'x' });
  });

  it.each([
    ['pyhton', 'Did you mean python?'],
    ['Pyton', 'Did you mean python?'],
    ['javscript', 'Did you mean javascript?'],
    ['klingon', 'there is no such language. `runlet languages`'],
  ])('refuses --lang %s, and starts no run', async (lang, reason) => {
    const ended = await cli(['run', '--lang', lang, '-c', 'x']);
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.stderr).toContain(`--lang ${lang}: `);
    expect(ended.stderr).toContain(reason);
    expect(api.requests('POST', '/v1/runs')).toEqual([]);
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
    [['./nowhere.py'], './nowhere.py is not here'],
    [['nowhere.py'], 'nowhere.py looks like a program and is not here'],
    [['src/nowhere.py'], 'src/nowhere.py looks like a program and is not here'],
    [['main.txt'], 'main.txt is not here. Did you mean main.py?'],
    [['other.pyx'], 'other.pyx is not here, and .pyx is no language. Did you mean other.py?'],
    [['./notes.xyz'], './notes.xyz is a file, but .xyz is no language: name it with --lang'],
    [['notes.xyz', 'main.py'], 'notes.xyz is a file, but .xyz is no language: name it with --lang'],
    [['Makefile'], 'Makefile is a file, but its name tells no language: name it with --lang'],
    [['/etc/passwd'], 'name it with --lang'],
    [['./src'], './src is a folder: name the file in it that is to be run'],
    [['.'], 'is a folder'],
    [['-c', 'x'], '--lang'],
    [['-'], '--lang'],
    [['-c', '-'], '--lang'],
    [['main.py', '5'], 'Arguments come after --: `runlet run main.py -- 5`'],
    [['main.py', 'helper.py', 'a b', 'c'], "`runlet run main.py helper.py -- 'a b' c`"],
    [['main.py', 'nowhere.py'], 'nowhere.py is no file here'],
    [['main.py', '--timeout', '5s'], 'An option of runlet comes before main.py.'],
    [['python main.py'], 'Write them apart: `runlet run python main.py`.'],
    [['Busybox'], 'their names are in lower case. Did you mean busybox?'],
    [['docker://busybox'], 'leave out what is in front of busybox'],
    [['busybox:'], 'busybox: is no file here, and no image. Name one like busybox'],
    [[''], 'An empty word is no file here, and no image.'],
    [['main.py', 'data'], 'is a folder'],
    [
      ['--lang', 'python', 'print(1)'],
      "print(1) is no file here. If it is the code itself, -c comes before it: `runlet run --lang python -c 'print(1)'`.",
    ],
    [['python', '-c', 'print(1)'], '`runlet run --lang python -c CODE`'],
    [['--file', 'nowhere', 'busybox'], 'nowhere cannot be read: there is nothing of this name here'],
    [['--input', 'nowhere', 'busybox'], 'nowhere cannot be read: there is nothing of this name here'],
    [['--input', 'data', 'busybox'], 'data cannot be read: it is a folder'],
    [['--lang', 'python', '-c', 'x', '--file', 'main.py'], 'exclude'],
    [['--lang', 'python', '-', '--file', 'main.py'], 'exclude'],
    [['-o', 'results', 'busybox'], '--artifact'],
    [['-d', '-o', 'results', '--artifact', 'x', 'busybox'], 'runlet artifacts'],
    [[], 'Name an image or a file'],
    [['--lang', 'python'], 'There is no code to run as python: give -c CODE, a FILE, or - for stdin.'],
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
      verdict: null,
      difference: null,
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
    const { out, code, stderr } = await cli(['languages']);
    expect(code).toBe(0);
    expect(out.split('\n')[0]).toMatch(/^LANGUAGE +VERSION +READY +ALIASES +FILE +IMAGE$/);
    expect(out).toMatch(/^python +3\.11\.2 +no +py, python3 +main\.py +python:3\.11$/m);
    expect(stderr).toContain('`npm run images -- NAME`');
    api.images = [
      {
        reference: 'python:3.11',
        digest: null,
        id: `sha256:${'a'.repeat(64)}`,
        sizeBytes: 1,
        createdAt: '2026-11-01T00:00:00.000Z',
        workers: ['wrk_1'],
      },
    ];
    expect(await cli(['languages'])).toMatchObject({ out: expect.stringMatching(/ yes /), stderr: '' });
    expect(JSON.parse((await cli(['languages', '--json'])).out).data[0].name).toBe('python');
  });
});
