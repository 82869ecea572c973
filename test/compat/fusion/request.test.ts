import { describe, expect, test } from 'vitest';
import { orderReader } from '../../../services/gateway/compat/fusion/request.ts';

// What becomes of the bodies of SandboxFusion's `POST /run_code`.

const read = orderReader({
  limits: {
    timeoutMs: 3_600_000,
    memoryBytes: 2 ** 40,
    cpus: 8,
    pids: 4096,
    outputBytes: 2 ** 24,
    diskBytes: 2 ** 40,
  },
  allowWritable: true,
  allowEgress: true,
  registries: [],
});
const program = { code: 'print(1)', language: 'python' };

describe('the run that is made of a request', () => {
  const requestOf = (body: object) => {
    const order = read({ ...program, ...body });
    if (!('request' in order)) throw new Error(JSON.stringify(order));
    return order;
  };
  const faultOf = (body: unknown) => {
    const order = read(body);
    if (!('faults' in order)) throw new Error(JSON.stringify(order));
    return order.faults[0];
  };

  test('has ten seconds and our own memory, unless it says otherwise', () => {
    const { request } = requestOf({ nobody: 'knows this', args: ['-x'] });
    expect(request).toMatchObject({ language: 'python', code: 'print(1)', workdir: '/work', files: [] });
    expect(request.stdin).toBeUndefined();
    expect(request.limits).toMatchObject({
      timeoutMs: 10_000,
      memoryBytes: 268_435_456,
      outputBytes: 2_097_152,
    });
    const { limits } = requestOf({ run_timeout: 1.5004, memory_limit_MB: 1024 }).request;
    expect(limits).toMatchObject({ timeoutMs: 1501, memoryBytes: 1_073_741_824 });
    expect(requestOf({ run_timeout: '3', memory_limit_MB: 0, stdin: null }).request.limits.timeoutMs).toBe(
      3000,
    );
    expect(requestOf({ stdin: ' as given\n\n' }).request.stdin).toBe(' as given\n\n');
  });

  test('has its files beside the code, and keeps what is to be fetched', () => {
    const { request, fetch } = requestOf({
      files: { './in/a.txt': 'aGk=\n', 'b.txt': null, 'IGNORE_THIS_FILE.txt': '' },
      fetch_files: ['out[1].txt', '../gone', '/work/c', '/etc/passwd'],
    });
    expect(request.files.map(({ path, content }) => [path, content])).toEqual([
      ['main.py', 'print(1)'],
      ['in/a.txt', 'aGk='],
    ]);
    expect(request.artifacts).toEqual(['out\\[1\\].txt', 'c']);
    expect([...fetch]).toEqual([
      ['out[1].txt', 'out[1].txt'],
      ['/work/c', 'c'],
    ]);
  });

  test('works in /tmp where a path lies below it', () => {
    const { request, fetch } = requestOf({
      files: { '/tmp/in/a.txt': 'aGk=', 'b.txt': '' },
      fetch_files: ['/tmp/out', 'c'],
    });
    expect(request.workdir).toBe('/tmp');
    expect(request.files.map(({ path }) => path)).toEqual(['main.py', 'in/a.txt', 'b.txt']);
    expect([...fetch.values()]).toEqual(['out', 'c']);
  });

  test.each([
    ['php', 'echo 1;', '<?php echo 1;'],
    ['php', '<?php echo 1;', '<?php echo 1;'],
    ['nodejs', '1', '1'],
    ['R', 'print(1)', 'print(1)'],
  ])('of %s %j', (language, code, given) => {
    expect(requestOf({ language, code }).request.code).toBe(given);
  });

  test('is none where the language is not here', () => {
    expect(read({ ...program, language: 'racket' })).toEqual({
      unavailable: 'The language racket is not available on this server.',
    });
  });

  test.each([
    [{ language: 'python' }, { type: 'missing', loc: ['code'], input: { language: 'python' } }],
    [{ code: '' }, { type: 'missing', loc: ['language'], msg: 'Field required' }],
    [[], { type: 'model_attributes_type', loc: [] }],
    ['text', { type: 'model_attributes_type', loc: [], input: 'text' }],
    [
      { ...program, code: 1 },
      { type: 'string_type', loc: ['code'], input: 1 },
    ],
    [
      { ...program, code: 'half \ud83d' },
      { type: 'value_error', loc: ['code'] },
    ],
    [
      { ...program, language: 'klingon' },
      { type: 'literal_error', loc: ['language'], input: 'klingon' },
    ],
    [
      { ...program, run_timeout: 'soon' },
      { type: 'float_parsing', loc: ['run_timeout'] },
    ],
    [
      { ...program, run_timeout: null },
      { type: 'float_type', loc: ['run_timeout'], input: null },
    ],
    [
      { ...program, memory_limit_MB: 'much' },
      { type: 'int_parsing', loc: ['memory_limit_MB'] },
    ],
    [
      { ...program, run_timeout: 0 },
      { type: 'greater_than', loc: ['run_timeout'], ctx: { gt: 0 } },
    ],
    [
      { ...program, compile_timeout: 1e9 },
      { type: 'less_than_equal', ctx: { le: 3600 } },
    ],
    [
      { ...program, memory_limit_MB: 64.5 },
      { type: 'int_from_float', loc: ['memory_limit_MB'] },
    ],
    [
      { ...program, memory_limit_MB: 4 },
      { type: 'value_error', loc: ['memory_limit_MB'], input: 4 },
    ],
    [
      { ...program, files: [] },
      { type: 'dict_type', loc: ['files'] },
    ],
    [
      { ...program, files: { a: 7 } },
      { type: 'string_type', loc: ['files', 'a'] },
    ],
    [
      { ...program, files: { a: 'no!' } },
      { type: 'value_error', loc: ['files', 'a'] },
    ],
    [
      { ...program, files: { '../a': '' } },
      { type: 'value_error', loc: ['files', '../a'] },
    ],
    [
      { ...program, files: { '/etc/a': '' } },
      { type: 'value_error', loc: ['files', '/etc/a'] },
    ],
    [
      { ...program, files: { 'main.py': '' } },
      { type: 'value_error', loc: ['files', 'main.py'] },
    ],
    [
      { ...program, fetch_files: 'a' },
      { type: 'list_type', loc: ['fetch_files'] },
    ],
    [
      { ...program, fetch_files: [1] },
      { type: 'string_type', loc: ['fetch_files', 0] },
    ],
  ])('is none of %j', (body, { loc, ...fault }: Record<string, unknown>) => {
    const found = faultOf(body);
    expect(found).toMatchObject(fault);
    if (loc !== undefined) expect(found?.loc).toEqual(['body', ...(loc as string[])]);
  });

  test('a long value is not sent back whole', () => {
    const fault = faultOf({ ...program, language: 'x'.repeat(50_000) });
    expect(fault?.type).toBe('literal_error');
    expect(JSON.stringify(fault).length).toBeLessThan(5_000);
  });
});
