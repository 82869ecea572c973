import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConnectionError } from '../../services/cli/errors.ts';
import { ApiClient } from '../../services/cli/http/api-client.ts';
import { followStream } from '../../services/cli/http/follow-stream.ts';
import { forward } from '../../services/cli/webhooks/forward.ts';
import { type Receiver, startReceiver, verified } from '../support/receiver.ts';
import { cleanUp, runCli, startCli } from './support/cli.ts';
import { StubApi, testKey } from './support/stub-api.ts';
import { runFinished } from './support/stub-events.ts';

let api: StubApi;
let receiver: Receiver;
beforeEach(async () => {
  api = await new StubApi().start();
  receiver = await startReceiver();
});
afterEach(async () => {
  await api.stop();
  await receiver.stop();
});
afterAll(cleanUp);

const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
const disabled = {
  type: 'webhook.disabled' as const,
  webhookId: 'evt_1',
  payload: {
    type: 'webhook.disabled' as const,
    timestamp: '2026-11-03T10:00:00.000Z',
    data: {
      id: 'whk_1',
      url: 'https://example.com/hook',
      events: ['*' as const],
      enabled: false,
      disabledReason: 'gone' as const,
      secretExpiresAt: null,
      createdAt: '2026-11-03T10:00:00.000Z',
      updatedAt: '2026-11-03T10:00:00.000Z',
    },
  },
};

/** Starts it, and waits until it hears what happens. */
async function listening(args: string[] = [], env: Record<string, string> = {}) {
  const cli = startCli(['webhooks', 'listen', ...args], { url: api.url, env });
  let out = '';
  cli.child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  await vi.waitFor(() => expect(cli.stderrSoFar()).toContain('Listening'), { timeout: 60_000 });
  return {
    ...cli,
    lines: (count: number) =>
      vi.waitFor(
        () => {
          const lines = out.split('\n').slice(0, -1);
          expect(lines.length).toBeGreaterThanOrEqual(count);
          return lines;
        },
        { timeout: 60_000 },
      ),
    end: (signal: NodeJS.Signals = 'SIGINT') => {
      cli.child.kill(signal);
      return cli.ended;
    },
  };
}

describe('runlet webhooks listen', () => {
  it('shows each event on a line, until Ctrl-C, which is no failure', async () => {
    const cli = await listening();
    const event = runFinished('out_of_memory');
    api.events.push(event);
    api.events.push(disabled);
    const { timestamp, data } = event.payload;
    expect(await cli.lines(2)).toEqual([
      `${timestamp}  run.finished  ${data.id}  out_of_memory`,
      '2026-11-03T10:00:00.000Z  webhook.disabled  whk_1  gone',
    ]);
    expect(await cli.end()).toMatchObject({ code: 0, signal: null });
  });

  it('shows those that match --event, as one JSON line each with --json', async () => {
    const cli = await listening(['--json', '--event', 'webhook.disabled', '--event', 'service.*']);
    api.events.push(runFinished('succeeded'));
    api.events.push(disabled);
    expect((await cli.lines(1)).map((line) => JSON.parse(line))).toEqual([disabled]);
    expect(await cli.end('SIGTERM')).toMatchObject({ code: 0 });
  });

  it('goes on where a connection broke, with nothing lost and nothing doubled', async () => {
    const cli = await listening();
    const events = ['succeeded', 'failed', 'timed_out', 'errored'] as const;
    const statuses = (lines: string[]) => lines.map((line) => line.split('  ').at(-1));
    // Before its first event, too.
    api.events.breakOff();
    api.events.push(runFinished(events[0]));
    await cli.lines(1);
    api.events.breakOff();
    for (const state of events.slice(1)) api.events.push(runFinished(state));
    expect(statuses(await cli.lines(4))).toEqual(events);
    await cli.end();
    expect(api.requests('GET', '/v1/events').map(({ headers }) => headers['last-event-id'])).toEqual([
      undefined,
      '0-0',
      '1790000000000-0',
    ]);
  });

  it('ends when its reader leaves', async () => {
    const cli = await listening();
    cli.child.stdout?.destroy();
    const left = () => {
      api.events.push(disabled);
      expect(cli.child.exitCode).toBe(0);
    };
    await vi.waitFor(left, { timeout: 60_000 });
  });

  it.each([
    [['--event', 'run.ended'], 1, 'must be one or more of'],
    [['--forward', 'localhost:3000'], 2, 'give one like http://127.0.0.1:3000/hook'],
    [['--forward', 'http://a:b@localhost:3000'], 2, 'must not hold a user'],
    [['--forward', 'http://localhost:3000', '--secret', 'word'], 2, 'must be whsec_'],
    [['--secret', secret], 2, 'without --forward'],
  ])('refuses %j', async (args, code, text) => {
    const ended = await runCli(['webhooks', 'listen', ...args], { url: api.url });
    expect(ended).toMatchObject({ code, out: '' });
    expect(ended.stderr).toContain(text);
  });

  it('says so when there is no server', async () => {
    const { url } = api;
    await api.stop();
    const ended = await runCli(['webhooks', 'listen'], { url });
    api = await new StubApi().start();
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.stderr).toContain('Nothing answers');
  });
});

describe('runlet webhooks listen --forward', () => {
  it('POSTs each event as a delivery would be, signed with a secret that it prints', async () => {
    const cli = await listening(['--forward', `${receiver.url}/hook?a=1`]);
    const made =
      /^runlet: Signing with (whsec_\S+): give it to your receiver\.$/m.exec(cli.stderrSoFar())?.[1] ?? '';
    const event = runFinished('succeeded');
    api.events.push(event);
    const [one] = await receiver.came(1);
    if (one === undefined) throw new Error('nothing came');
    expect(one).toMatchObject({
      path: '/hook?a=1',
      body: JSON.stringify(event.payload),
      headers: { 'content-type': 'application/json', 'webhook-id': event.webhookId },
    });
    expect(verified(made, one)).toEqual(event.payload);
    expect((await cli.lines(2))[1]).toMatch(/^ {2}→ 204 in [\d.]+ m?s$/);
    expect((await cli.end()).code).toBe(0);
  });

  it('signs with the secret that is given, and does not repeat it', async () => {
    for (const [args, env] of [
      [['--secret', secret], {}],
      [[], { RUNLET_WEBHOOK_SECRET: secret }],
    ] as const) {
      const cli = await listening(['--json', '--forward', receiver.url, ...args], env);
      const event = runFinished('succeeded');
      api.events.push(event);
      const [line] = await cli.lines(1);
      expect(JSON.parse(line ?? '')).toEqual({
        ...event,
        forwarded: { statusCode: 204, durationMs: expect.any(Number), error: null },
      });
      expect(verified(secret, receiver.received.pop() ?? { headers: {}, body: '' })).toEqual(event.payload);
      const { out, stderr } = await cli.end();
      expect(out + stderr).not.toContain(secret);
    }
  });

  it('shows what fails, and goes on', async () => {
    const cli = await listening(['--forward', receiver.url, '--secret', secret]);
    receiver.answer(({ path }, response) => response.writeHead(500, { location: path }).end('no'));
    api.events.push(runFinished('succeeded'));
    await cli.lines(2);
    receiver.answer((_, response) => response.writeHead(307, { location: '/other' }).end());
    api.events.push(runFinished('succeeded'));
    await cli.lines(4);
    receiver.answer((_, response) => response.destroy());
    api.events.push(runFinished('succeeded'));
    await cli.lines(6);
    await receiver.stop();
    api.events.push(runFinished('succeeded'));
    const answers = (await cli.lines(8)).filter((_, index) => index % 2 === 1);
    expect(answers).toEqual([
      expect.stringMatching(/→ 500 in .*: only 2xx is delivered$/),
      expect.stringMatching(/→ 307 in .*: redirects are not followed$/),
      expect.stringMatching(/→ failed after .*: other side closed$/),
      expect.stringMatching(/→ failed after .*: nothing listens there$/),
    ]);
    expect(receiver.received).toHaveLength(3);
    expect((await cli.end()).code).toBe(0);
  });

  it('is ended by Ctrl-C while a receiver does not answer', async () => {
    const cli = await listening(['--forward', receiver.url]);
    receiver.answer(() => {});
    api.events.push(runFinished('succeeded'));
    await receiver.came(1);
    expect((await cli.end()).code).toBe(0);
  });

  it('does not wait for ever for one', async () => {
    receiver.answer(() => {});
    const { signal } = new AbortController();
    const event = { webhookId: 'evt_1', payload: {} };
    expect(await forward(receiver.url, secret, event, { signal, limitMs: 50 })).toMatchObject({
      statusCode: null,
      error: 'no answer within 0.05 s',
    });
  });
});

describe('a stream', () => {
  /** A server that ends each connection at once, so many times, and then is gone. */
  async function followed(connections: number, options: { steadyMs: number; gaveUp?: () => Error }) {
    let opened = 0;
    const server = createServer((_, response) => {
      opened += 1;
      if (opened > connections) response.writeHead(404).end();
      else response.writeHead(200, { 'content-type': 'text/event-stream' }).end(': heartbeat\n\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const client = new ApiClient(`http://127.0.0.1:${port}`, testKey, () => {});
    const notes: string[] = [];
    const note = (text: string) => notes.push(text);
    try {
      for await (const _ of followStream(client, '/', { note, waitsMs: [1, 1, 1], ...options }));
    } catch (error) {
      return { opened, error: error as Error, notes };
    } finally {
      server.close();
    }
    throw new Error('it ended without an error');
  }
  const gaveUp = () => new ConnectionError('gave up');

  it('is given up when connections do not hold, if that is wanted', async () => {
    expect(await followed(20, { steadyMs: 60_000, gaveUp })).toMatchObject({ opened: 4, error: gaveUp() });
  });

  it('is not given up while connections hold, however little comes', async () => {
    const { opened, error } = await followed(20, { steadyMs: 0, gaveUp });
    expect([opened, error.message]).toEqual([21, expect.stringContaining('without saying why')]);
  });

  it('is followed for ever if that is wanted, and what is lost and back is told', async () => {
    const { opened, notes } = await followed(20, { steadyMs: 60_000 });
    expect(opened).toBe(21);
    expect(notes).toEqual([
      'The connection to the server is lost; trying to take it up again.',
      'The connection is back.',
    ]);
  });
});
