import { NodePistonClient, PistonClient } from 'piston-api-client';
import piston from 'piston-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildingMs, startWithLanguages } from '../../languages/support.ts';
import type { Runlet } from '../../support/runlet.ts';
import { connectPiston } from './client.ts';

// Clients that nobody here wrote, as their README pages show them, against a whole Runlet.

let runlet: Runlet;
let server: string;
beforeAll(async () => {
  runlet = await startWithLanguages(['python', 'javascript', 'bash', 'cpp']);
  server = `${runlet.url}/k/${runlet.apiKey}/piston`;
}, buildingMs);
afterAll(() => runlet.stop());

const greeted = { stdout: 'Hello World!\n', stderr: '', code: 0, signal: null, output: 'Hello World!\n' };

test('piston-client', async () => {
  const client = piston({ server });
  expect(await client.runtimes()).toContainEqual(
    expect.objectContaining({ language: 'python', aliases: expect.arrayContaining(['py']) }),
  );
  expect(await client.execute('python', 'print("Hello World!")')).toMatchObject({
    language: 'python',
    run: greeted,
  });
  const config = {
    language: 'js',
    // (The README has 15.10.0.)
    version: '24.x',
    files: [{ name: 'my_cool_code.js', content: 'console.log(process.argv)' }],
    stdin: '',
    args: ['1', '2', '3'],
    compileTimeout: 10000,
    runTimeout: 3000,
    compileMemoryLimit: -1,
    runMemoryLimit: -1,
  };
  const { run } = (await client.execute(config)) as { run: { stdout: string } };
  expect(run.stdout).toContain("'/work/my_cool_code.js', '1', '2', '3' ]");
});

test.each([PistonClient, NodePistonClient])('piston-api-client: %o', async (Client) => {
  const client = new Client({ server, cacheTime: 0 });
  const runtimes = await client.runtimes();
  expect(runtimes.success && runtimes.data.map(({ language }) => language)).toContain('javascript');
  const result = await client.execute({
    language: 'node-js',
    version: '*',
    files: [{ content: 'console.log(process.argv.slice(2))' }],
    args: ['Hello', 'World'],
  });
  expect(result).toMatchObject({
    success: true,
    data: {
      language: 'javascript',
      run: {
        stdout: "[ 'Hello', 'World' ]\n",
        stderr: '',
        code: 0,
        signal: null,
        output: "[ 'Hello', 'World' ]\n",
      },
    },
  });
});

describe('how programs end', () => {
  const execute = async (language: string, content: string, more: Record<string, unknown> = {}) => {
    const answer = await runlet.call('POST', '/piston/api/v2/execute', {
      language,
      version: '*',
      files: [{ content }],
      ...more,
    });
    return (await answer.json()) as {
      run: Record<string, unknown>;
      compile?: Record<string, unknown>;
    };
  };

  test('by themselves: codes and signals, times and memory', async () => {
    const { run, compile } = await execute(
      'c++',
      '#include <cstdio>\nint main(){int a;scanf("%d",&a);return a;}',
      {
        stdin: '7',
      },
    );
    expect(compile).toMatchObject({ code: 0, signal: null, status: null });
    expect(run).toMatchObject({ code: 7, signal: null, status: 'RE', message: 'Exited with error status 7' });
    expect(run.memory).toBeGreaterThan(100_000);
    expect(run.wall_time).toEqual(expect.any(Number));
    const crashed = await execute('c++', 'int main(){volatile int* p = nullptr; return *p;}');
    expect(crashed.run).toMatchObject({ code: null, signal: 'SIGSEGV', status: 'SG' });
  });

  test('by their limits', async () => {
    const killed = { code: null, signal: 'SIGKILL' };
    const asleep = await execute('bash', 'echo in; sleep 60', { run_timeout: 500 });
    expect(asleep.run).toMatchObject({ ...killed, status: 'TO', stdout: 'in\n' });
    const busy = await execute('bash', 'while :; do :; done', { run_cpu_time: 200 });
    expect(busy.run).toMatchObject({ ...killed, status: 'TO', message: 'Time limit exceeded' });
    const loud = await execute('bash', 'yes >&2');
    expect(loud.run).toMatchObject({ ...killed, status: 'EL' });
    const greedy = await execute('python', 'x = b"x" * 10**9', { run_memory_limit: 50_000_000 });
    expect(greedy.run).toMatchObject({ status: expect.stringMatching(/SG|RE/) });
  });

  test('uncompiled', async () => {
    const { run, compile } = await execute('c++', 'int main(');
    expect(compile).toMatchObject({ code: 1, status: 'RE', stderr: expect.stringContaining('error') });
    expect(run).toEqual(compile);
  });
});

describe('a program that is talked to', () => {
  const init = (language: string, content: string) => ({
    type: 'init',
    language,
    version: '*',
    files: [{ content }],
    run_timeout: 30_000,
  });
  const connected = async (message: unknown) => {
    const client = connectPiston(`${server}/api/v2`);
    await client.opened;
    client.send(message);
    return client;
  };

  test('answers', async () => {
    const client = await connected(init('python', 'print("name?", flush=True)\nprint("hi", input())'));
    await expect.poll(() => client.text('stdout')).toBe('name?\n');
    client.send({ type: 'data', stream: 'stdin', data: 'Ada\n' });
    expect((await client.closed).code).toBe(4999);
    expect(client.text('stdout')).toBe('name?\nhi Ada\n');
    expect(client.messages.at(-1)).toEqual({ type: 'exit', stage: 'run', code: 0, signal: null });
  });

  test('is known to have begun after it was compiled, before it says anything', async () => {
    const code = '#include <cstdio>\nint main(){int a; scanf("%d", &a); return a;}';
    const client = await connected(init('c++', code));
    await expect.poll(() => client.messages.at(-1)).toEqual({ type: 'stage', stage: 'run' });
    client.send({ type: 'data', stream: 'stdin', data: '9\n' });
    expect((await client.closed).code).toBe(4999);
    expect(client.messages.slice(1)).toEqual([
      { type: 'stage', stage: 'compile' },
      { type: 'exit', stage: 'compile', code: 0, signal: null },
      { type: 'stage', stage: 'run' },
      { type: 'exit', stage: 'run', code: 9, signal: null },
    ]);
  });

  test('takes signals', async () => {
    const client = await connected(
      init('bash', 'trap "echo int; exit 5" INT; echo up; while :; do sleep 0.1; done'),
    );
    await expect.poll(() => client.text('stdout')).toBe('up\n');
    client.send({ type: 'signal', signal: 'SIGINT' });
    expect((await client.closed).code).toBe(4999);
    expect(client.messages.at(-1)).toEqual({ type: 'exit', stage: 'run', code: 5, signal: null });
  });
});
