import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { signalNumbers } from '../../shared/contracts/attach.ts';
import type { Run } from '../../shared/contracts/run.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { connectRedis } from '../../shared/redis.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { webSocket } from '../support/web-socket.ts';

type Message = { type: string; data?: string; problem?: { code: string; errors?: { path: string }[] } };

const lab = inject('lab');
let runlet: Runlet;
let redis: ReturnType<typeof connectRedis>;
const open = new Set<WebSocket>();

beforeAll(async () => {
  runlet = await startRunlet(lab);
  redis = connectRedis(lab.redisUrl, 'loop', createLog('test', 'silent'));
});
afterEach(() => {
  for (const socket of open) socket.terminate();
  open.clear();
});
afterAll(async () => {
  redis.disconnect();
  await runlet.stop();
});

async function start(script: string, more: Record<string, unknown> = { interactive: true }): Promise<string> {
  const answer = await runlet.call('POST', '/v1/runs', {
    image: 'busybox',
    command: ['sh', '-c', script],
    ...more,
  });
  const { id } = (await answer.json()) as Run;
  return id;
}

function attach(id: string, query = '') {
  const socket = webSocket(runlet, `/v1/runs/${id}/attach${query}`);
  open.add(socket);
  let said = '';
  const problems: Message['problem'][] = [];
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Message;
    if (message.type === 'stdout') said += message.data;
    if (message.type === 'error') problems.push(message.problem);
  });
  return {
    problems,
    signal: (signal: unknown) => socket.send(JSON.stringify({ type: 'signal', signal })),
    says: (part: string) => vi.waitFor(() => expect(said).toContain(part), { timeout: 60_000 }),
    closed: new Promise<number>((resolve) => socket.on('close', resolve)),
  };
}

/**
 * Waits for signals without a child, since a child would get them too. Its stdin stays open without data. Busybox checks for
 * a signal before it waits. A signal that comes between the two is seen a second later.
 */
const wait = 'echo ready; while :; do read -t 1 line; done';

test('a signal reaches the program, which ends as it likes', async () => {
  const id = await start(`trap 'echo got; exit 7' USR1; ${wait}`);
  const client = attach(id);
  await client.says('ready\n');
  client.signal('SIGUSR1');
  expect(await runlet.ended(id)).toMatchObject({
    status: 'failed',
    exitCode: 7,
    signal: null,
    stdout: 'ready\ngot\n',
  });
  expect(await client.closed).toBe(1000);
  expect(client.problems).toEqual([]);
});

test('each of them is the one that was named, and one that nobody can refuse is the end', async () => {
  const heard = Object.keys(signalNumbers).filter((name) => name !== 'SIGKILL' && name !== 'SIGSTOP');
  const traps = heard.map((name) => `trap 'echo "got ${name}."' ${name.slice(3)}; `).join('');
  const id = await start(`${traps}${wait}`);
  const client = attach(id);
  await client.says('ready\n');
  for (const name of heard) {
    client.signal(name);
    await client.says(`got ${name}.\n`);
  }
  client.signal('SIGKILL');
  const lines = ['ready', ...heard.map((name) => `got ${name}.`), ''];
  expect(await runlet.ended(id)).toMatchObject({
    status: 'failed',
    exitCode: 137,
    signal: 'SIGKILL',
    stdout: lines.join('\n'),
  });
});

describe('the first line of a program on a terminal knows its size', () => {
  const tty = { interactive: true, tty: true };

  test('as the request says it', async () => {
    const id = await start('stty size', { ...tty, cols: 132, rows: 50 });
    expect((await runlet.ended(id)).stdout).toBe('50 132\r\n');
  });

  test('as who attached before its start says it, and the last of them counts', async () => {
    const id = await start('stty size', { ...tty, cols: 132, rows: 50, delayMs: 3_000 });
    const clients = [attach(id, '?cols=90&rows=20'), attach(id, '?cols=91&rows=21')];
    const entries = keysFor(runlet.prefix).attach(id);
    await expect.poll(() => redis.xlen(entries)).toBe(2);
    expect((await runlet.ended(id)).stdout).toMatch(/^(?:20 90|21 91)\r\n$/);
    for (const client of clients) expect(await client.closed).toBe(1000);
  });

  test('as nobody says it', async () => {
    expect((await runlet.ended(await start('stty size', tty))).stdout).toBe('24 80\r\n');
  });
});

test('one that is stopped is no end, and goes on when it is told to', async () => {
  const id = await start(`trap 'echo again; exit 7' CONT; ${wait}`);
  const client = attach(id);
  await client.says('ready\n');
  client.signal('SIGSTOP');
  client.signal('SIGCONT');
  expect(await runlet.ended(id)).toMatchObject({ exitCode: 7, signal: null, stdout: 'ready\nagain\n' });
});

test('a program that has no answer to it ends by it, and the run says by which', async () => {
  const id = await start('echo ready; exec sleep 600');
  const client = attach(id);
  await client.says('ready\n');
  client.signal('SIGTERM');
  expect(await runlet.ended(id)).toMatchObject({ status: 'failed', exitCode: 143, signal: 'SIGTERM' });
});

test('what the program started gets it, too', async () => {
  const until = 'while :; do sleep 0.1; done';
  const id = await start(
    `(trap 'echo child; exit' USR1; echo one; ${until}) & trap 'wait; echo parent; exit 7' USR1; echo two; ${until}`,
  );
  const client = attach(id);
  await Promise.all([client.says('one\n'), client.says('two\n')]);
  client.signal('SIGUSR1');
  const { exitCode, stdout } = await runlet.ended(id);
  expect(exitCode).toBe(7);
  expect(stdout).toMatch(/child\nparent\n$/);
});

test('on a terminal as well', async () => {
  const id = await start(`trap 'echo got; exit 7' INT; ${wait}`, { interactive: true, tty: true });
  const client = attach(id);
  await client.says('ready\r\n');
  client.signal('SIGINT');
  expect(await runlet.ended(id)).toMatchObject({ exitCode: 7, stdout: 'ready\r\ngot\r\n' });
});

test.each(['SIGNOPE', 'USR1', 'sigusr1', 10])(
  '%j names none: it is refused, and the program left alone',
  async (name) => {
    const id = await start(`trap 'echo got; exit 7' USR1; ${wait}`);
    const client = attach(id);
    await client.says('ready\n');
    client.signal(name);
    // What comes after this is not checked.
    client.signal('SIGUSR1');
    expect(await client.closed).toBe(1008);
    expect(client.problems).toMatchObject([{ code: 'validation_failed', errors: [{ path: 'signal' }] }]);
    const other = attach(id);
    await other.says('ready\n');
    other.signal('SIGTERM');
    expect(await runlet.ended(id)).toMatchObject({ signal: 'SIGTERM', stdout: 'ready\n' });
  },
);

test('a run that is not interactive is not to be talked to', async () => {
  const id = await start(`trap 'echo got; exit 7' USR1; echo ready; while :; do sleep 0.1; done`, {});
  const client = attach(id);
  await client.says('ready\n');
  client.signal('SIGUSR1');
  await vi.waitFor(() => expect(client.problems).toMatchObject([{ code: 'conflict' }]), { timeout: 60_000 });
  expect((await runlet.call('POST', `/v1/runs/${id}/cancel`)).status).toBe(202);
  expect(await runlet.ended(id)).toMatchObject({ status: 'cancelled', stdout: 'ready\n' });
});
