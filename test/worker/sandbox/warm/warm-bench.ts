import { onTestFinished, vi } from 'vitest';
import type { OwnSandbox } from '../../../../services/worker/sandbox/driver.ts';
import type { WarmProfile } from '../../../../services/worker/sandbox/warm/shelf.ts';
import { createWarmPool } from '../../../../services/worker/sandbox/warm/warm-pool.ts';
import { createLog } from '../../../../shared/log.ts';

/** A pool over sandboxes that are made when the test says so, and no other time than its own. */
export function bench(options: { max?: number; maxBytes?: number } = {}) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const state = { busy: false, opening: false, pressed: false };
  const removed: string[] = [];
  const making: { id: string; done: () => void; fail: () => void }[] = [];
  const warming: { done: () => void; fail: () => void }[] = [];
  let ids = 0;
  const pool = createWarmPool({
    newId: () => `wrm_${++ids}`,
    max: options.max ?? 8,
    maxBytes: options.maxBytes ?? Number.POSITIVE_INFINITY,
    busy: () => state.busy,
    opening: () => state.opening,
    pressed: () => state.pressed,
    log: createLog('test', 'silent'),
  });
  const profileOf = (image: string): WarmProfile => ({
    key: image,
    image,
    imageId: `sha256:${image}`,
    isolation: 'container',
    driver: { name: 'test', pace: { making: 2, removing: 2, idleBytes: 1 } },
    idleBytes: 1,
    make: (id) =>
      new Promise((resolve, reject) => {
        const remove = async () => void removed.push(id);
        const closed = new Promise<undefined>(() => {});
        const sandbox = { session: { closed }, remove } as unknown as OwnSandbox;
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
  /** All that the pool begins, it gets, each after so long. */
  const settle = async (makeMs = 300) => {
    for (let waited = 0; waited < 4_000; waited += makeMs) {
      await pass(makeMs);
      for (const one of making) one.done();
    }
  };
  /** How many of each image wait. */
  const counts = () => Object.fromEntries(pool.picture().map(({ image, count }) => [image, count]));
  return { pool, profile, profileOf, slowly, settle, counts, state, making, warming, removed, pass };
}
