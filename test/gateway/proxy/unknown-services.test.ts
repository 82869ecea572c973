import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { signService } from '../../../services/gateway/services/signed-url.ts';
import { newId } from '../../../shared/ids.ts';
import { monitorRedis } from '../../support/monitor.ts';
import { type Container, call, type Proxied, startContainer, startProxied, ways } from './support.ts';

// Whether there is a private service of a name nobody learns who may not call it: not by the answer, nor by what has to be done for it.

let on: Proxied;
let container: Container;
let monitor: { stop(): void } | undefined;
let commands: string[][] = [];
let owners: string;
let strangers: string;
beforeAll(async () => {
  container = await startContainer((_, outgoing) => outgoing.end('in'));
  on = await startProxied();
  owners = await on.apiKey('default');
  strangers = await on.apiKey('acme');
  monitor = await monitorRedis(inject('lab').redisUrl, (command, source) => {
    if (source !== 'lua') commands.push(command);
  });
});
afterAll(async () => {
  monitor?.stop();
  await on.stop();
  await container.stop();
});

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** Waits until the store has told of all that it was asked for before. */
async function allSeen() {
  const mark = randomBytes(8).toString('hex');
  await on.redis.call('ECHO', mark);
  await expect.poll(() => commands.some((command) => command.includes(mark))).toBe(true);
}

/**
 * What the store was asked for meanwhile, in its order. Not what scripts tell it of uses and of the gateway, by clocks of their own; and not
 * whose key it is, which is asked for beforehand, and remembered for a while.
 */
async function asked(act: () => Promise<unknown>): Promise<string[][]> {
  await allSeen();
  commands = [];
  await act();
  await allSeen();
  const ours = commands.filter((command) =>
    command.some((word) => word.startsWith(on.keys.base) && !word.includes('api-keys')),
  );
  return ours.filter(([name = '']) => !/^(eval|evalsha|publish)$/i.test(name));
}

describe.each(ways)('by the %s', (_, way) => {
  const credentials: [string, () => { headers: Record<string, string>; query: string }][] = [
    ['nothing', () => ({ headers: {}, query: '' })],
    ['a key that is none', () => ({ headers: bearer(`rlk_${randomBytes(8).toString('hex')}`), query: '' })],
    ['another tenant’s key', () => ({ headers: bearer(strangers), query: '' })],
    [
      'tokens of another service',
      () => {
        const token = signService(on.gateway.env.RUNLET_SECRET_KEY, newId('svc'), Date.now() + 60_000);
        return {
          headers: { cookie: `runlet_token=${token}; runlet_token=x` },
          query: `?runlet_token=${token}`,
        };
      },
    ],
  ];

  test.each(credentials)('with %s: the same is asked of the store, whoever is there', async (_, brought) => {
    const name = () => `s${randomBytes(5).toString('hex')}`;
    const known = await on.service({ name: name(), at: container.port, request: { public: false } });
    const fresh = await on.service({ name: name(), at: container.port, request: { public: false } });
    const theirs = await on.service({
      name: name(),
      at: container.port,
      tenant: 'other',
      request: { public: false },
    });
    const nobody = { id: newId('svc'), name: name(), host: `${name()}.localhost:${on.port}` };
    for (const path of ['/', `/s/${known.id}/`])
      expect(
        (await call(on.port, path === '/' ? known.host : 'localhost', path, { headers: bearer(owners) }))
          .status,
      ).toBe(200);

    const by = async (to: 'name' | 'path', { id, host }: { id: string; host: string }) => {
      const { headers, query } = brought();
      const answers: string[] = [];
      const at = to === 'name' ? '/' : `/s/${id}/`;
      const reads = await asked(async () => {
        const {
          status,
          headers: fields,
          body,
        } = await call(on.port, to === 'name' ? host : 'localhost', at + query, {
          headers: { ...way, ...headers },
        });
        delete fields.date;
        // An answer calls the service what the request calls it.
        const plain = body.replaceAll(at, '/').replaceAll(/svc_[\w-]+|\bs[0-9a-f]{10}\b/g, 'ASKED');
        answers.push(JSON.stringify({ status, fields, body: plain }));
      });
      // Which service it is asked for is another one each time.
      const plain = reads.map((words) =>
        words.map((word) => word.replaceAll(/svc_[\w-]+/g, 'ID').replace(/^s[0-9a-f]{10}$/, 'NAME')),
      );
      return { reads: plain, answers };
    };

    for (const to of ['name', 'path'] as const) {
      const none = await by(to, nobody);
      expect(none.answers[0]).toMatch(/"status":40[14]/);
      expect(none.reads.map(([command]) => command?.toLowerCase())).toEqual(
        expect.arrayContaining(to === 'name' ? ['hget', 'hmget'] : ['hmget']),
      );
      for (const there of [known, known, fresh, fresh]) expect(await by(to, there)).toEqual(none);
      expect(await by(to, nobody)).toEqual(none);
      if (to === 'path') expect(await by(to, theirs)).toEqual(none);
    }
  });
});
