import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { wholeCharacters } from '../../shared/utf8.ts';
import { type Call, runOf, startGateway, type TestGateway } from './support.ts';
import { actAsWorker } from './worker.ts';

type Page = { data: Run[]; nextCursor: string | null };

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
});
afterAll(() => on.stop());

const image = { image: 'hello-world' };
const page = async (call: Call, query: string) =>
  (await (await call('GET', `/v1/runs${query}`)).json()) as Page;

async function everything(call: Call, query: string): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  let cursor: string | null = null;
  let pages = 0;
  do {
    const one: Page = await page(
      call,
      `${query}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    ids.push(...one.data.map(({ id }) => id));
    cursor = one.nextCursor;
    pages += 1;
  } while (cursor !== null);
  return { ids, pages };
}

async function create(
  call: Call,
  count: number,
  more: (i: number) => object = () => ({}),
): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++)
    ids.unshift((await runOf(await call('POST', '/v1/runs', { ...image, ...more(i) }), 202)).id);
  return ids;
}

test('newest first, page by page, each once, also while runs come in', async () => {
  const call = await on.caller('pages');
  const ids = await create(call, 25);
  expect(await everything(call, '?limit=7')).toEqual({ ids, pages: 4 });
  expect(await everything(call, '?limit=25')).toEqual({ ids, pages: 1 });
  expect((await page(call, '')).data).toHaveLength(20);
  const first = await page(call, '?limit=10');
  const newer = await create(call, 3);
  const second = await page(call, `?limit=100&cursor=${first.nextCursor}`);
  expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids);
  expect((await page(call, '?limit=3')).data.map(({ id }) => id)).toEqual(newer);
});

test('by status and metadata', async () => {
  const call = await on.caller('filters');
  const ids = await create(call, 12, (i) => ({
    metadata: { parity: String(i % 2), all: 'yes', 'a.b': 'dot' },
  }));
  const worker = actAsWorker(on);
  for (const id of ids.slice(0, 4)) await worker.perform(id);
  await worker.start(ids[4] as string);
  const idsBy = async (query: string) => (await everything(call, query)).ids;
  expect(await idsBy('?status=succeeded')).toEqual(ids.slice(0, 4));
  expect(await idsBy('?status=running')).toEqual([ids[4]]);
  expect(await idsBy('?status=succeeded,running&limit=2')).toEqual(ids.slice(0, 5));
  expect(await idsBy('?status=failed')).toEqual([]);
  expect(await idsBy('?metadata.parity=1')).toEqual(ids.filter((_, i) => i % 2 === 0));
  expect(await idsBy('?metadata.parity=1&metadata.all=yes&status=succeeded')).toEqual([ids[0], ids[2]]);
  expect(await idsBy('?metadata.parity=1&metadata.all=no')).toEqual([]);
  expect(await idsBy('?metadata.a.b=dot&limit=5')).toEqual(ids);
  expect(await idsBy('?metadata.constructor=x')).toEqual([]);
});

test('a rare match among thousands takes several bounded requests, and is found', async () => {
  const call = await on.caller('rare');
  const [oldest] = await create(call, 1, () => ({ metadata: { rare: 'yes' } }));
  // Entries of the index alone: as costly to pass by as runs that do not match.
  const far = (await create(call, 1))[0] as string;
  const filler = Array.from(
    { length: 4_500 },
    (_, i) => `${far.slice(0, -8)}${(0x10000000 + i).toString(16)}`,
  );
  await on.redis.zadd(on.keys.tenantRuns('rare'), ...filler.flatMap((id) => ['0', id]));
  const { ids, pages } = await everything(call, '?metadata.rare=yes');
  expect(ids).toEqual([oldest]);
  expect(pages).toBeGreaterThan(2);
  await on.redis.zrem(on.keys.tenantRuns('rare'), ...filler);
});

describe('output in lists', () => {
  test('is cut at 16 KiB a stream and flagged', async () => {
    const call = await on.caller('previews');
    const [id = ''] = await create(call, 1);
    const worker = actAsWorker(on);
    const holder = await worker.start(id);
    // Three bytes a character: the cut falls inside of one.
    await worker.append(
      holder,
      { type: 'stdout', data: '€'.repeat(10_000) },
      { type: 'stderr', data: 'short' },
    );
    await worker.finish(holder);
    const [run] = (await page(call, '')).data;
    expect(run).toMatchObject({
      stdout: '€'.repeat(5_461),
      stderr: 'short',
      outputTruncated: true,
      outputEncoding: 'utf8',
    });
    const whole = await runOf(await call('GET', `/v1/runs/${id}`), 200);
    expect(whole).toMatchObject({ stdout: '€'.repeat(10_000), outputTruncated: false });
  });

  test('is whole where it is short, however many chunks', async () => {
    const call = await on.caller('chunks');
    const [id = ''] = await create(call, 1);
    const worker = actAsWorker(on);
    const holder = await worker.start(id);
    for (let i = 0; i < 50; i++) await worker.out(holder, 'a', 'b');
    await worker.finish(holder);
    const [run] = (await page(call, '')).data;
    expect(run).toMatchObject({ stdout: 'ab'.repeat(50), outputTruncated: false });
  });

  test.each([
    ['abc', 'abc'],
    ['ab€', 'ab€'],
  ])('whole characters stay: %s', (text, kept) => {
    expect(wholeCharacters(Buffer.from(text)).toString()).toBe(kept);
  });

  test.each([1, 2])('a character without its last %i bytes goes', (missing) => {
    const bytes = Buffer.from('ab€');
    expect(wholeCharacters(bytes.subarray(0, bytes.length - missing)).toString()).toBe('ab');
  });
});

test('requests with a large stdin make a page shorter, and none is lost', async () => {
  const call = await on.caller('large');
  const stdin = 'x'.repeat(3 * 1024 * 1024);
  const ids = await create(call, 5, () => ({ stdin }));
  const { ids: seen, pages } = await everything(call, '?limit=100');
  expect(seen).toEqual(ids);
  expect(pages).toBe(3);
});

describe('batches', () => {
  test('each run by itself, in order', async () => {
    const call = await on.caller('batch');
    const response = await call('POST', '/v1/runs/batch', {
      runs: [
        image,
        { image: 'busybox', nope: 1 },
        { ...image, priority: 9 },
        'text',
        { limits: { cpus: 0 } },
      ],
    });
    expect(response.status).toBe(207);
    const { results } = (await response.json()) as {
      results: (Run & { code?: string; errors?: { path: string }[] })[];
    };
    expect(results.map(({ status }) => status)).toEqual(['queued', 400, 'queued', 400, 400]);
    expect(results[1]).toMatchObject({
      code: 'validation_failed',
      errors: [{ path: 'nope', message: 'is not a known field' }],
    });
    expect(results[4]?.errors?.map(({ path }) => path).sort()).toEqual(['image', 'limits.cpus']);
    const ids = [results[0]?.id, results[2]?.id] as string[];
    expect((await page(call, '')).data.map(({ id }) => id)).toEqual([ids[1], ids[0]]);
    expect(await on.gateway.queue.having(ids)).toEqual(new Set(ids));
  });

  test('a hundred at most, and not none', async () => {
    for (const [body, path] of [
      [{ runs: [] }, 'runs'],
      [{ runs: Array(101).fill(image) }, 'runs'],
      [{}, 'runs'],
      [{ runs: image }, 'runs'],
      [{ runs: [image], more: 1 }, 'more'],
    ] as const) {
      const response = await on.call('POST', '/v1/runs/batch', body);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ errors: [{ path }] });
    }
    const call = await on.caller('hundred');
    const response = await call('POST', '/v1/runs/batch', { runs: Array(100).fill(image) });
    const { results } = (await response.json()) as { results: Run[] };
    expect(new Set(results.map(({ id }) => id)).size).toBe(100);
  });
});
