import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Sandbox } from '../../services/worker/sandbox/sandbox.ts';
import { createWarmPool, type WarmProfile } from '../../services/worker/sandbox/warm-pool.ts';
import { createLog } from '../../shared/log.ts';

/** A pool over sandboxes that are made when the test says so, and no other time than its own. */
function bench(options: { most?: number } = {}) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const state = { busy: false, opening: false };
  const removed: string[] = [];
  const making: { id: string; done: () => void; fail: () => void }[] = [];
  const warming: { done: () => void; fail: () => void }[] = [];
  let ids = 0;
  const pool = createWarmPool({
    newId: () => `wrm_${++ids}`,
    most: options.most ?? 8,
    busy: () => state.busy,
    opening: () => state.opening,
    pressed: () => false,
    log: createLog('test', 'silent'),
  });
  const profileOf = (image: string): WarmProfile => ({
    key: image,
    image,
    isolation: 'container',
    network: 'none',
    make: (id) =>
      new Promise((resolve, reject) => {
        const remove = async () => void removed.push(id);
        const closed = new Promise<undefined>(() => {});
        const sandbox = { session: { closed }, remove } as unknown as Sandbox;
        making.push({ id, done: () => resolve(sandbox), fail: () => reject(new Error('no')) });
      }),
    warmUp: async () => {},
  });
  let over = false;
  const slowly: WarmProfile['warmUp'] = () =>
    new Promise((done, reject) => {
      warming.push({ done, fail: () => reject(new Error('lost')) });
      if (over) done();
    });
  const profile = { ...profileOf('busybox'), key: 'k' };
  onTestFinished(async () => {
    over = true;
    for (const one of [...making, ...warming]) one.done();
    await pool.stop();
  });
  pool.start();
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  /** All that the pool begins, it gets. */
  const settle = async () => {
    for (let i = 0; i < 40; i += 1) {
      await pass(100);
      for (const one of making) one.done();
    }
  };
  return { pool, profile, profileOf, slowly, settle, state, making, warming, removed, pass };
}

describe('the pool', () => {
  test('makes what was wanted, gives each once, and keeps its number', async () => {
    const { pool, profile, making, pass } = bench();
    expect(pool.take(profile)).toBeUndefined();
    await pass(100);
    expect(making).toHaveLength(1);
    making[0]?.done();
    await pass(0);
    expect(pool.picture()).toEqual([{ image: 'busybox', isolation: 'container', network: 'none', count: 1 }]);
    expect(pool.take(profile)?.id).toBe('wrm_1');
    expect(pool.take(profile)).toBeUndefined();
    expect(pool.holds('wrm_1')).toBe(true);
    pool.forget('wrm_1');
    expect(pool.holds('wrm_1')).toBe(false);
  });

  test('gives one in the making to the run that waits, and no run waits for what another was promised', async () => {
    const { pool, profile, making, pass } = bench();
    pool.take(profile);
    await pass(100);
    const first = pool.next('k');
    expect(await pool.next('k')).toBeUndefined();
    making[0]?.done();
    expect(await first).toMatchObject({ id: 'wrm_1', waited: true });
    expect(pool.picture()).toEqual([]);
    // That one was for nobody else: the pool's own is still to come.
    await pass(100);
    expect(making.map(({ id }) => id)).toContain('wrm_2');
    making[1]?.done();
    await pass(0);
    expect(await pool.next('k')).toMatchObject({ id: 'wrm_2', waited: false });
  });

  test('lets a run that waits make its own when that fails', async () => {
    const { pool, profile, making, pass } = bench();
    pool.take(profile);
    await pass(100);
    const waits = pool.next('k');
    making[0]?.fail();
    expect(await waits).toBeUndefined();
    expect(pool.holds('wrm_1')).toBe(false);
  });

  test('warms one up for whoever comes, not for a run that waits', async () => {
    const { pool, profile, slowly, making, warming, pass } = bench();
    pool.take({ ...profile, warmUp: slowly });
    await pass(100);
    const waits = pool.next('k');
    making[0]?.done();
    expect(await waits).toMatchObject({ id: 'wrm_1' });
    expect(warming).toHaveLength(0);
    await pass(100);
    making[1]?.done();
    await pass(0);
    expect([warming.length, pool.picture()]).toEqual([1, []]);
    const late = pool.next('k');
    warming[0]?.done();
    expect(await late).toMatchObject({ id: 'wrm_2', waited: true });
  });

  test('removes one that was lost while it was warmed up, and goes on after a while', async () => {
    const { pool, profile, slowly, making, warming, removed, pass } = bench();
    pool.take({ ...profile, warmUp: slowly });
    await pass(100);
    making[0]?.done();
    await pass(0);
    const waits = pool.next('k');
    warming[0]?.fail();
    expect(await waits).toBeUndefined();
    expect(removed).toEqual(['wrm_1']);
    await pass(0);
    expect(pool.holds('wrm_1')).toBe(false);
    await pass(11_000);
    expect(making.map(({ id }) => id)).toEqual(['wrm_1', 'wrm_2']);
  });

  test('starts none beside a run’s own start, but after a while', async () => {
    const { pool, profile, state, making, pass } = bench();
    Object.assign(state, { busy: true, opening: true });
    await pass(6_000);
    pool.take(profile);
    await pass(100);
    making[0]?.done();
    await pass(0);
    pool.take(profile);
    await pass(3_000);
    expect(making).toHaveLength(1);
    state.opening = false;
    await pass(100);
    expect(making).toHaveLength(2);
    making[1]?.done();
    await pass(0);
    pool.take(profile);
    state.opening = true;
    await pass(4_000);
    expect(making).toHaveLength(2);
    await pass(2_000);
    expect(making).toHaveLength(3);
  });

  test('starts none beside a few runs in a row', async () => {
    const { pool, profile, state, making, pass } = bench();
    await pass(6_000);
    state.busy = true;
    pool.take(profile);
    await pass(900);
    expect(making).toHaveLength(0);
    state.busy = false;
    await pass(100);
    expect(making).toHaveLength(1);
    making[0]?.done();
    await pass(6_000);
    // A load that does not end is followed, one at a time.
    state.busy = true;
    pool.take(profile);
    await pass(2_000);
    expect(making).toHaveLength(2);
  });

  test('shares its places, when they are too few, equally among those that want more', async () => {
    const { pool, profileOf, settle } = bench();
    const counts = () => Object.fromEntries(pool.picture().map(({ image, count }) => [image, count]));
    const want = async (image: string, count: number) => {
      for (let i = 0; i < count; i += 1) pool.take(profileOf(image));
      await settle();
    };
    await want('a', 8);
    expect(counts()).toEqual({ a: 8 });
    await want('b', 12);
    expect(counts()).toEqual({ a: 4, b: 4 });
    await want('c', 2);
    expect(counts()).toEqual({ a: 3, b: 3, c: 2 });
    for (let i = 0; i < 10; i += 1) await want(`d${i}`, 1);
    expect(counts()).toEqual(Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`d${i + 2}`, 1])));
  });

  test('gives its own to a run that waits also while it ends, and removes the rest', async () => {
    const { pool, profile, making, removed, pass } = bench();
    pool.take(profile);
    pool.take(profile);
    await pass(100);
    expect(making).toHaveLength(2);
    const waits = pool.next('k');
    const stopped = pool.stop();
    for (const one of making) one.done();
    expect((await waits)?.id).toBe('wrm_1');
    await stopped;
    expect(removed).toEqual(['wrm_2']);
    expect(await pool.next('k')).toBeUndefined();
  });
});
