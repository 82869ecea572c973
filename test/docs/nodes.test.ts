import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createLog } from '../../shared/log.ts';
import { connectRedis } from '../../shared/redis.ts';
import { type Home, makeHome } from '../infra/support/npm-start.ts';
import { startS3 } from '../support/s3.ts';
import { follow, json } from './follow.ts';
import { blocks, pages } from './pages.ts';
import { Reader } from './reader.ts';

// The page on a second machine is followed on two that differ in their folders only.

const lab = inject('lab');
const prefix = `nodes${randomBytes(5).toString('hex')}`;
const names = ['one', 'two'] as const;
const nodes: { home: Home; reader: Reader }[] = [];
let s3: Awaited<ReturnType<typeof startS3>>;

beforeAll(async () => {
  s3 = await startS3();
  for (const RUNLET_WORKER_NAME of names) {
    const home = await makeHome({
      DOCKER_HOST: lab.dockerHost,
      RUNLET_REDIS_PREFIX: prefix,
      RUNLET_WORKER_NAME,
    });
    nodes.push({ home, reader: new Reader(home) });
  }
});
afterAll(async () => {
  for (const { home, reader } of nodes) {
    await reader.leave();
    await home.remove();
  }
  await s3.stop();
  const redis = connectRedis(lab.redisUrl, 'loop', createLog('test', 'silent'));
  const keys = await redis.keys(`{${prefix}}*`);
  if (keys.length > 0) await redis.del(...keys);
  redis.disconnect();
});

/** The file that the page shows first, with what is true here. */
function environmentFile(secretKey: string): string {
  const { accessKeyId, secretAccessKey, endpoint } = s3.settings;
  const values: Record<string, string> = {
    RUNLET_REDIS_URL: lab.redisUrl,
    RUNLET_SECRET_KEY: secretKey,
    RUNLET_S3_ENDPOINT: new URL(endpoint).origin,
    RUNLET_S3_BUCKET: s3.bucket,
    RUNLET_S3_ACCESS_KEY_ID: accessKeyId,
    RUNLET_S3_SECRET_ACCESS_KEY: secretAccessKey,
  };
  const [shown = ''] = blocks(pages.get(page) ?? '', 'ini');
  const shownNames = shown
    .trim()
    .split('\n')
    .map((line) => line.split('=')[0]);
  expect(shownNames).toEqual(Object.keys(values));
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

const page = 'infra/docs/NODES.md';

test('two nodes share runs, keys and artifacts', { timeout: 600_000 }, async () => {
  const [one, two] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  // The first has been there alone before.
  await one.reader.type('npm start');
  await one.reader.interrupt();
  const text = environmentFile(readFileSync(join(one.home.dataDir, 'secret-key'), 'utf8').trim());
  for (const { home } of nodes) writeFileSync(join(home.folder, 'runlet.env'), text, { mode: 0o600 });
  await follow(one.reader, page);
  await follow(two.reader, page, { without: ['cat '] });

  const { data } = await json<{ data: { name: string }[] }>(one.reader, 'runlet workers');
  expect(data.map(({ name }) => name).toSorted()).toEqual([...names]);
  const ran = await one.reader.type(
    "runlet run --json -q --artifact kept busybox -- sh -c 'echo shared > kept'",
  );
  const { id } = JSON.parse(ran.output) as { id: string };
  const folder = join(two.home.folder, 'artifacts');
  expect(await two.reader.type(`runlet artifacts -o ${folder} ${id}`)).toMatchObject({ code: 0 });
  expect(readFileSync(join(folder, 'kept'), 'utf8')).toBe('shared\n');
  // Each node's key opens the other's gateway.
  expect(await one.reader.type(`runlet --url http://127.0.0.1:${two.home.port} ps`)).toMatchObject({
    code: 0,
  });
});
