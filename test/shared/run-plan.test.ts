import { describe, expect, test } from 'vitest';
import { runRequestSchema } from '../../shared/contracts/run-request.ts';
import { execRequestSchema } from '../../shared/contracts/service.ts';
import { findLanguage, listLanguages } from '../../shared/languages/index.ts';
import { filesOf, kindOf, outlineOf, stepsOf } from '../../shared/run-plan.ts';

const most = 1_000_000_000;
const max = {
  timeoutMs: most,
  memoryBytes: 600_000_000,
  cpus: 8,
  pids: 100,
  outputBytes: most,
  diskBytes: most,
};
const policy = { limits: max, allowWritable: true, allowEgress: true, registries: [] };
const schema = runRequestSchema(policy);
const parse = (fields: Record<string, unknown>) => schema.parse(fields);
const [python, c] = ['python', 'c'].map((name) => {
  const found = findLanguage(name);
  if ('fault' in found) throw new Error(name);
  return found.language;
}) as [ReturnType<typeof listLanguages>[number], ReturnType<typeof listLanguages>[number]];

describe('files', () => {
  test('code has the language’s own name', () => {
    expect(filesOf(parse({ language: 'python', code: 'print("ü")' }))).toEqual([
      { path: python.fileName, data: Buffer.from('print("ü")'), mode: 0o644 },
    ]);
    expect(filesOf(parse({ language: 'python', code: '' }))).toHaveLength(1);
  });

  test('files are bytes and modes, in their order', () => {
    const files = [
      { path: 'b/run.sh', content: '#!/bin/sh', mode: '0755' },
      { path: 'a', content: '/wD+', encoding: 'base64' },
      { path: 'c', content: 'x', mode: '600' },
    ];
    expect(filesOf(parse({ image: 'busybox', files }))).toEqual([
      { path: 'b/run.sh', data: Buffer.from('#!/bin/sh'), mode: 0o755 },
      { path: 'a', data: Buffer.from([255, 0, 254]), mode: 0o644 },
      { path: 'c', data: Buffer.from('x'), mode: 0o600 },
    ]);
  });
});

test('a file below /tmp is data: no source, and no program to start', () => {
  const files = [
    { path: '/tmp/main.c', content: 'data' },
    { path: 'own.c', content: 'int main;' },
  ];
  const request = parse({ language: 'c', files });
  expect(filesOf(request).map(({ path }) => path)).toEqual(['/tmp/main.c', 'own.c']);
  expect(stepsOf(request)[0]?.argv).toContain('own.c');
  expect(stepsOf(request)[0]?.argv).not.toContain('/tmp/main.c');
});

describe('steps', () => {
  const quiet = { stdin: undefined, stdinOpen: false, tty: false };

  test('an image has one, with its own command line and what follows it', () => {
    expect(stepsOf(parse({ image: 'busybox', args: ['x'], stdin: '/w==', stdinEncoding: 'base64' }))).toEqual(
      [{ ...quiet, name: 'run', argv: undefined, args: ['x'], stdin: Buffer.from([255]) }],
    );
    expect(stepsOf(parse({ image: 'busybox', stdin: '' }))[0]?.stdin).toEqual(Buffer.alloc(0));
  });

  test('an interactive one keeps its stdin open', () => {
    expect(stepsOf(parse({ image: 'busybox', interactive: true, tty: true, stdin: 'first' }))).toEqual([
      { name: 'run', argv: undefined, args: [], stdin: Buffer.from('first'), stdinOpen: true, tty: true },
    ]);
  });

  test('a compiled language has two', () => {
    const [compile, run, ...more] = stepsOf(parse({ language: 'c', code: 'x', args: ['a'], stdin: 'in' }));
    expect(compile).toEqual({
      ...quiet,
      name: 'compile',
      args: [],
      argv: expect.arrayContaining([c.fileName]),
    });
    expect(run).toEqual({ ...quiet, name: 'run', argv: c.run, args: ['a'], stdin: Buffer.from('in') });
    expect(more).toEqual([]);
  });

  test('each input is a step of its own, args of the request first', () => {
    const inputs = [{ stdin: '1' }, { args: ['y'] }, {}];
    expect(stepsOf(parse({ language: 'python', code: 'x', args: ['a'], inputs }))).toEqual([
      { ...quiet, name: 'run[0]', argv: ['python3', python.fileName], args: ['a'], stdin: Buffer.from('1') },
      { ...quiet, name: 'run[1]', argv: ['python3', python.fileName], args: ['a', 'y'] },
      { ...quiet, name: 'run[2]', argv: ['python3', python.fileName], args: ['a'] },
    ]);
    expect(stepsOf(parse({ language: 'c', code: 'x', inputs })).map(({ name }) => name)).toEqual([
      'compile',
      'run[0]',
      'run[1]',
      'run[2]',
    ]);
  });

  test('the program is the file with the language’s name, or the first of its sources', () => {
    const argv = (...paths: string[]) =>
      stepsOf(parse({ language: 'python', files: paths.map((path) => ({ path, content: '' })) }))[0]?.argv;
    expect(argv('a.py', 'b.py')).toEqual(['python3', 'a.py']);
    expect(argv('a.py', python.fileName)).toEqual(['python3', python.fileName]);
    expect(argv('data.csv', 'a.py')).toEqual(['python3', 'a.py']);
    expect(argv('lib/main.py', 'a.py')).toEqual(['python3', 'lib/main.py']);
    const compile = stepsOf(
      parse({ language: 'c', files: ['b.c', 'data.txt', 'a.c'].map((path) => ({ path, content: '' })) }),
    )[0];
    expect(compile?.argv?.filter((word) => /\.(c|txt)$/.test(word))).toEqual(['b.c', 'a.c']);
  });

  test('a language that this worker lacks is told', () => {
    const request = { ...parse({ language: 'python', code: '' }), language: 'cobol' };
    expect(() => stepsOf(request)).toThrow(/cobol/);
    expect(() => filesOf(request)).toThrow(/cobol/);
  });
});

describe('defaults that depend on the request', () => {
  test('a language has its own limits and /work, where nothing else is said', () => {
    for (const { name, limits } of listLanguages()) {
      const request = parse({ language: name, code: '' });
      expect(request.workdir).toBe('/work');
      expect(request.limits.pids).toBe(Math.min(limits.pids ?? 64, max.pids));
      expect(request.limits.memoryBytes).toBe(Math.min(limits.memoryBytes ?? 268_435_456, max.memoryBytes));
      expect(request.limits.timeoutMs).toBe(10_000);
    }
    const said = parse({ language: 'java', code: '', workdir: '/srv', limits: { memoryBytes: 64_000_000 } });
    expect(said.workdir).toBe('/srv');
    expect(said.limits.memoryBytes).toBe(64_000_000);
  });

  test('an interactive run has an hour, or what the operator allows', () => {
    expect(parse({ image: 'a', interactive: true }).limits.timeoutMs).toBe(3_600_000);
    expect(parse({ image: 'a', interactive: true, limits: { timeoutMs: 5 } }).limits.timeoutMs).toBe(5);
    const short = runRequestSchema({ ...policy, limits: { ...max, timeoutMs: 60_000 } });
    expect(short.parse({ image: 'a', interactive: true }).limits.timeoutMs).toBe(60_000);
  });

  test('a limit on CPU time is not undercut by the time that nobody asked for', () => {
    const cpu = (limits: object, more = {}) => parse({ image: 'a', limits, ...more }).limits.timeoutMs;
    expect(cpu({ cpuTimeMs: 30_000 })).toBe(65_000);
    expect(cpu({ cpuTimeMs: 30_000, cpus: 4 })).toBe(65_000);
    expect(cpu({ cpuTimeMs: 1_000 })).toBe(10_000);
    expect(cpu({ cpuTimeMs: null })).toBe(10_000);
    // A tenth of a CPU takes ten times as long.
    expect(cpu({ cpuTimeMs: 30_000, cpus: 0.1 })).toBe(305_000);
    expect(cpu({ cpuTimeMs: 30_000, timeoutMs: 700 })).toBe(700);
    expect(cpu({ cpuTimeMs: 30_000 }, { interactive: true })).toBe(3_600_000);
    expect(cpu({ cpuTimeMs: 2_000_000 }, { interactive: true })).toBe(4_005_000);
    const short = runRequestSchema({ ...policy, limits: { ...max, timeoutMs: 60_000 } });
    expect(short.parse({ image: 'a', limits: { cpuTimeMs: 50_000 } }).limits.timeoutMs).toBe(60_000);
    const exec = (limits: object) =>
      execRequestSchema(policy).parse({ command: ['a'], limits }).limits.timeoutMs;
    expect(
      [{}, { cpuTimeMs: 20_000 }, { cpuTimeMs: 90_000 }, { cpuTimeMs: 90_000, timeoutMs: 1 }].map(exec),
    ).toEqual([60_000, 60_000, 185_000, 1]);
    expect(execRequestSchema(policy).parse({ command: ['a'] }).limits.timeoutMs).toBe(60_000);
  });
});

test('a run waits for room for the step that may have the most memory', () => {
  const memoryOf = (fields: object) => {
    const request = parse({ language: 'c', code: '', ...fields });
    return outlineOf({ id: 'a', tenant: 't', createdAt: 'a', dueAt: 1, request }).request.limits.memoryBytes;
  };
  const limits = { memoryBytes: 100_000_000 };
  expect(memoryOf({ limits })).toBe(100_000_000);
  expect(memoryOf({ limits, compileLimits: { timeoutMs: 1 } })).toBe(100_000_000);
  expect(memoryOf({ limits, compileLimits: { memoryBytes: 50_000_000 } })).toBe(100_000_000);
  expect(memoryOf({ limits, compileLimits: { memoryBytes: 500_000_000 } })).toBe(500_000_000);
});

test('runs of one kind have jobs that end alike, and no others', () => {
  const dataOf = (id: string, fields: Record<string, unknown>) => {
    const request = parse(fields);
    const outline = outlineOf({ id, tenant: 't', createdAt: id, dueAt: 1, request });
    return { kind: kindOf(outline), data: JSON.stringify({ id, outline }) };
  };
  const one = dataOf('a', { image: 'busybox', command: ['true'], env: { A: '1' } });
  const alike = dataOf('b', { image: 'busybox', command: ['false'], stdin: 'x' });
  expect(alike.data.endsWith(one.kind)).toBe(true);
  expect(alike.kind).toBe(one.kind);
  const others = [
    { image: 'alpine' },
    { image: 'busybox', limits: { pids: 7 } },
    { image: 'busybox', workdir: '/x' },
  ];
  for (const other of [...others, { image: 'busybox', inputs: [{ stdin: '1' }] }])
    expect(dataOf('c', other).data.endsWith(one.kind), JSON.stringify(other)).toBe(false);
});
