import { describe, expect, test } from 'vitest';
import { bench } from './warm-bench.ts';

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

  test('tries one that fails later and later, and gives it up until something changes', async () => {
    const { pool, profile, making, pass } = bench();
    pool.pinOnly([profile]);
    const tries: number[] = [];
    const fail = async (seconds: number) => {
      for (let second = 0; second < seconds; second += 1) {
        await pass(1_000);
        for (const one of making.splice(0)) {
          tries.push(second);
          one.fail();
        }
        await pass(0);
      }
    };
    await fail(2 * 3_600);
    expect(tries).toHaveLength(6);
    const waits = tries.slice(1).map((at, i) => at - (tries[i] as number));
    for (const [i, wait] of waits.entries()) expect(Math.abs(wait - 10 * 2 ** i)).toBeLessThanOrEqual(2);
    pool.reconsider('another');
    await fail(60);
    expect(tries).toHaveLength(6);
    pool.reconsider();
    await pass(1_000);
    making[0]?.done();
    await pass(0);
    expect(pool.count('k')).toBe(1);
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
    const { pool, profileOf, settle, counts } = bench();
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

  test.each([
    { makeMs: 20, least: 3, most: 12 },
    { makeMs: 60, least: 15, most: 30 },
    { makeMs: 200, least: 35, most: 40 },
  ])('keeps $least to $most for a burst of 40 where one is made in $makeMs ms', async (kept) => {
    const { pool, profile, settle, counts } = bench({ max: 100 });
    for (let round = 0; round < 2; round += 1) {
      for (let i = 0; i < 40; i += 1) pool.take(profile);
      await settle(kept.makeMs);
    }
    expect(counts().busybox).toBeGreaterThanOrEqual(kept.least);
    expect(counts().busybox).toBeLessThanOrEqual(kept.most);
  });

  test('knows a burst by when its runs came, however late they are taken', async () => {
    const { pool, profile, settle, counts, pass } = bench({ max: 100 });
    for (let i = 0; i < 40; i += 1) {
      pool.take(profile, i * 100);
      await pass(100);
    }
    await settle(300);
    await settle(300);
    expect(counts().busybox).toBeGreaterThan(35);
  });

  test('takes runs that came one after another for no burst', async () => {
    const { pool, profile, settle, counts, pass } = bench({ max: 100 });
    for (let i = 0; i < 40; i += 1) {
      pool.take(profile);
      await pass(1_000);
    }
    await settle(300);
    await settle(300);
    expect(counts().busybox).toBeLessThan(4);
  });

  test('keeps no more than its memory is for, shared equally among those that want more', async () => {
    const { pool, profileOf, settle, counts } = bench({ max: 100, maxBytes: 60 });
    const want = (image: string, idleBytes: number) => {
      for (let i = 0; i < 10; i += 1) pool.take({ ...profileOf(image), idleBytes });
    };
    want('large', 10);
    await settle();
    expect(counts()).toEqual({ large: 6 });
    want('small', 1);
    await settle();
    expect(counts()).toEqual({ large: 5, small: 10 });
    want('too large', 61);
    await settle();
    expect(counts()['too large']).toBeUndefined();
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

  test('makes its own again when it is started again', async () => {
    const { pool, profileOf, settle, counts } = bench();
    pool.pinOnly([profileOf('a')]);
    await settle();
    expect(counts()).toEqual({ a: 1 });
    await pool.stop();
    await settle();
    expect(counts()).toEqual({});
    pool.start();
    await settle();
    expect(counts()).toEqual({ a: 1 });
    expect(pool.take(profileOf('a'))).toBeDefined();
  });

  test('keeps one of each that is pinned, whenever its pins are set anew, and gives back what is pinned no more', async () => {
    const { pool, profileOf, settle, counts, making, removed, pass } = bench();
    const pin = (...images: string[]) => pool.pinOnly(images.map(profileOf));
    pin('a', 'b', 'c');
    await settle();
    expect(counts()).toEqual({ a: 1, b: 1, c: 1 });
    for (let i = 0; i < 5; i += 1) {
      pin('a', 'b', 'c');
      await pass(100);
    }
    expect([removed, making.length]).toEqual([[], 3]);
    pin('b', 'd');
    await settle();
    expect(counts()).toEqual({ b: 1, d: 1 });
    expect(removed).toEqual(['wrm_1', 'wrm_3']);
    // Who asks for more than that is given more, pinned or not.
    pool.take(profileOf('b'));
    pool.take(profileOf('b'));
    pool.take(profileOf('d'));
    pin();
    await settle();
    expect(counts()).toEqual({ b: 2, d: 1 });
  });
});

describe('a machine that is short of memory', () => {
  test('gets back what waits, the oldest first, and nothing is made until there is enough', async () => {
    const { pool, profile, profileOf, settle, counts, state, making, removed, pass } = bench();
    pool.pinOnly([profileOf('pinned')]);
    for (let i = 0; i < 3; i += 1) pool.take(profile);
    await settle();
    expect(counts()).toEqual({ pinned: 1, busybox: 3 });
    const made = making.map(({ id }) => id);
    state.pressed = true;
    await pass(50);
    expect(removed).toHaveLength(1);
    await pass(10_000);
    expect(removed).toEqual(made);
    expect(pool.picture()).toEqual([]);
    // A run makes its own.
    expect(pool.take(profile)).toBeUndefined();
    expect(await pool.next('k')).toBeUndefined();
    await pass(10_000);
    expect(making).toHaveLength(made.length);
    state.pressed = false;
    await settle();
    expect(counts()).toEqual({ pinned: 1, busybox: 3 });
  });

  test('gets back also one that was in the making, unless a run waits for it', async () => {
    const { pool, profile, state, making, removed, pass } = bench();
    pool.take(profile);
    pool.take(profile);
    await pass(100);
    const waits = pool.next('k');
    state.pressed = true;
    for (const one of making) one.done();
    expect((await waits)?.id).toBe('wrm_1');
    await pass(100);
    expect([removed, making.length, pool.picture()]).toEqual([['wrm_2'], 2, []]);
  });
});

describe('the sandboxes of an image that is to be removed', () => {
  test('go first, those in the making too, and none is made meanwhile', async () => {
    const { pool, profile, profileOf, making, removed, pass } = bench();
    pool.pinOnly([profile, profileOf('debian')]);
    await pass(100);
    for (const one of making) one.done();
    await pass(0);
    pool.take(profile);
    pool.take(profile);
    await pass(100);
    const { id: halfWay = '' } = making.at(-1) ?? {};
    const before = making.length;
    const gate = Promise.withResolvers<boolean>();
    let asked = false;
    const removal = pool.setAside(profile.imageId, () => {
      asked = true;
      return gate.promise;
    });
    await pass(2_000);
    expect(asked).toBe(false);
    for (const one of making) one.done();
    await pass(2_000);
    expect(asked).toBe(true);
    expect(removed).toContain(halfWay);
    expect(making).toHaveLength(before);
    expect(pool.picture().map(({ image }) => image)).toEqual(['debian']);
    gate.resolve(true);
    expect(await removal).toBe(true);
    // It is gone, and so is the wish for it.
    await pass(5_000);
    expect(making).toHaveLength(before);
  });

  test('are made again where the engine refused', async () => {
    const { pool, profile, making, pass } = bench();
    pool.pinOnly([profile]);
    await pass(100);
    making[0]?.done();
    await pass(0);
    const refused = pool.setAside(profile.imageId, () => Promise.reject(new Error('in use')));
    await expect(refused).rejects.toThrow('in use');
    await pass(2_000);
    expect(making).toHaveLength(2);
  });
});
