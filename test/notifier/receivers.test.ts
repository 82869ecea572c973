import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { receiverKey } from '../../services/notifier/deliver.ts';
import {
  createReceivers,
  type Health,
  type Receivers,
  type Turn,
} from '../../services/notifier/receivers.ts';

// The circuit breaker reads the clock itself.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

const receiversWith = (options: { places: number; maxActive: number; recall?: (id: string) => void }) =>
  createReceivers({ recall: () => {}, ...options });

const well = { unwell: false };
const unwell = { unwell: true };

/** A try that ends when it is told to. */
function held() {
  let end: (health: Health) => void = () => {};
  const ended = new Promise<Health>((resolve) => {
    end = resolve;
  });
  return { act: () => ended, end };
}

const deferred = (turn: Turn<Health>) => ('deferredMs' in turn ? turn.deferredMs : undefined);

async function fail(receivers: Receivers, key: string, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1)
    expect(await receivers.turn(key, `f${i}`, async () => unwell)).toEqual({ done: unwell });
}

/** Makes it known as one that answers soon. */
const meet = (receivers: Receivers, key: string) => receivers.turn(key, 'first', async () => well);

describe('places', () => {
  test('a receiver gets no more tries at once than are its', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 3 });
    const tries = [held(), held(), held()];
    const turns = tries.map(({ act }, index) => receivers.turn('a', `d${index}`, act));
    const act = vi.fn(async () => well);
    expect(deferred(await receivers.turn('a', 'd3', act))).toBeGreaterThan(0);
    expect(act).not.toHaveBeenCalled();
    // Others are not concerned.
    expect(await receivers.turn('b', 'd4', act)).toEqual({ done: well });
    tries[1]?.end(well);
    await turns[1];
    expect(await receivers.turn('a', 'd3', act)).toEqual({ done: well });
    for (const { end } of tries) end(well);
    await Promise.all(turns);
  });

  test('a try that fails for a reason of ours gives its place back, and says nothing of the receiver', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 1 });
    for (let i = 0; i < 30; i += 1)
      await expect(
        receivers.turn('a', 'd', () => Promise.reject(new Error('Redis is away'))),
      ).rejects.toThrow('Redis');
    expect(await receivers.turn('a', 'd', async () => well)).toEqual({ done: well });
  });

  test('the more wait, the later each is to come again, up to five minutes and a bit', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 2 });
    const tries = [held(), held()];
    const turns = tries.map(({ act }) => receivers.turn('a', 'd', act));
    const waits: number[] = [];
    for (let i = 0; i < 40_000; i += 1)
      waits.push(deferred(await receivers.turn('a', `w${i}`, async () => well)) ?? 0);
    expect(waits[0]).toBeLessThan(500);
    const last = waits.slice(-100);
    expect(Math.min(...last)).toBeGreaterThanOrEqual(220_000);
    expect(Math.max(...last)).toBeLessThanOrEqual(375_000);
    // Asking again is no more than about a hundred times a second, however many there are.
    expect(40_000 / (Math.min(...last) / 1000)).toBeLessThan(200);
    for (const { end } of tries) end(well);
    await Promise.all(turns);
  });

  test('one that was sent away and comes back is not counted twice, and one that never comes back is forgotten', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 1 });
    const first = held();
    const turn = receivers.turn('a', 'first', first.act);
    for (let i = 0; i < 5_000; i += 1) await receivers.turn('a', 'same', async () => well);
    expect(deferred(await receivers.turn('a', 'other', async () => well))).toBeLessThan(1_000);
    for (let i = 0; i < 5_000; i += 1) await receivers.turn('a', `w${i}`, async () => well);
    expect(deferred(await receivers.turn('a', 'other', async () => well))).toBeGreaterThan(20_000);
    // Their endpoint was disabled, say: they ended without asking again.
    pass(200_000);
    receivers.forgetIdle();
    expect(deferred(await receivers.turn('a', 'other', async () => well))).toBeLessThan(1_000);
    first.end(well);
    await turn;
  });

  test('a new delivery is told beforehand when a receiver is busy', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 1 });
    expect(receivers.expectedWaitMs('a', 'd')).toBe(0);
    const first = held();
    const turn = receivers.turn('a', 'first', first.act);
    expect(receivers.expectedWaitMs('a', 'd')).toBeGreaterThan(0);
    expect(receivers.expectedWaitMs('b', 'd')).toBe(0);
    first.end(well);
    await turn;
    expect(receivers.expectedWaitMs('a', 'd')).toBe(0);
  });

  test('of many new deliveries to one that is not known yet, as many are to come at once as it has places', () => {
    const receivers = receiversWith({ places: 64, maxActive: 8 });
    const waits = Array.from({ length: 100 }, (_, index) => receivers.expectedWaitMs('a', `d${index}`));
    expect(waits.map((ms) => ms === 0)).toEqual([...Array(8).fill(true), ...Array(92).fill(false)]);
    // They went another way.
    pass(3_000);
    expect(receivers.expectedWaitMs('a', 'another')).toBe(0);
  });
});

describe('one that answers at once', () => {
  /** Known as such, with all its places taken. */
  async function busy(options: { places: number; maxActive: number; recall?: (id: string) => void }) {
    const receivers = receiversWith(options);
    await meet(receivers, 'a');
    const tries = Array.from({ length: options.maxActive }, held);
    const turns = tries.map(({ act }, index) => receivers.turn('a', `d${index}`, act));
    const endAll = async () => {
      for (const { end } of tries) end(well);
      await Promise.all(turns);
    };
    return { receivers, tries, endAll };
  }

  test('gets the next ones without sending them away, in their order', async () => {
    const { receivers, tries, endAll } = await busy({ places: 64, maxActive: 2 });
    const order: string[] = [];
    const wait = (id: string) =>
      receivers.turn('a', id, async () => {
        order.push(id);
        return well;
      });
    const waiting = [wait('x'), wait('y')];
    expect(deferred(await wait('z'))).toBeGreaterThan(0);
    expect(order).toEqual([]);
    tries[1]?.end(well);
    expect(await Promise.all(waiting)).toEqual([{ done: well }, { done: well }]);
    expect(order).toEqual(['x', 'y']);
    await endAll();
  });

  test('has no more wait for it than a quarter of all', async () => {
    const { receivers, endAll } = await busy({ places: 8, maxActive: 4 });
    const act = vi.fn(async () => well);
    const waiting = [receivers.turn('a', 'x', act), receivers.turn('a', 'y', act)];
    expect(deferred(await receivers.turn('a', 'z', act))).toBeGreaterThan(0);
    expect(act).not.toHaveBeenCalled();
    await endAll();
    await Promise.all(waiting);
    expect(act).toHaveBeenCalledTimes(2);
  });

  test('and then no more has those who wait sent away soon, and nobody waits after them', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
    const { receivers, endAll } = await busy({ places: 64, maxActive: 2 });
    const waiting = ['x', 'y'].map((id) => receivers.turn('a', id, async () => well));
    await vi.advanceTimersByTimeAsync(500);
    for (const turn of waiting) expect(deferred(await turn)).toBeGreaterThan(0);
    expect(deferred(await receivers.turn('a', 'z', async () => well))).toBeGreaterThan(0);
    expect(vi.getTimerCount()).toBe(0);
    await endAll();
  });

  test('recalls deferred deliveries when places are given back, the first ones first, as many as can be dealt with', async () => {
    const recall = vi.fn();
    const { receivers, tries, endAll } = await busy({ places: 64, maxActive: 2, recall });
    for (let i = 0; i < 10; i += 1) expect(receivers.expectedWaitMs('a', `w${i}`) > 0).toBe(i >= 2);
    tries[0]?.end(well);
    await vi.waitFor(() => expect(recall).toHaveBeenCalled());
    expect(recall.mock.calls).toEqual([['w2']]);
    // That one went another way, and so did the first two; by now a try took so long that nobody is to wait beside the places.
    pass(3_000);
    await endAll();
    expect(recall.mock.calls.flat()).toEqual(['w2', 'w3', 'w4']);
  });
});

test('while a circuit is broken nothing is recalled that would be deferred again; then all that was deferred is', async () => {
  const recall = vi.fn();
  const receivers = receiversWith({ places: 64, maxActive: 8, recall });
  await fail(receivers, 'a', 10);
  for (let i = 0; i < 20; i += 1) await receivers.turn('a', `w${i}`, async () => well);
  pass(600_000);
  await fail(receivers, 'a', 1);
  expect(recall).not.toHaveBeenCalled();
  pass(600_000);
  await meet(receivers, 'a');
  expect(recall.mock.calls.length).toBeGreaterThanOrEqual(8);
});

describe('strangers', () => {
  test('take no more than three quarters of all places, however many they are; those that answer soon get the rest', async () => {
    const receivers = receiversWith({ places: 8, maxActive: 4 });
    await meet(receivers, 'known');
    const tries = Array.from({ length: 6 }, held);
    const turns = tries.map(({ act }, index) => receivers.turn(`stranger${index}`, `d${index}`, act));
    expect(deferred(await receivers.turn('stranger6', 'd6', async () => well))).toBeGreaterThan(0);
    expect(await receivers.turn('known', 'd7', async () => well)).toEqual({ done: well });
    // A place that becomes free is the next stranger's.
    tries[0]?.end(well);
    await turns[0];
    expect(await receivers.turn('stranger6', 'd6', async () => well)).toEqual({ done: well });
    for (const { end } of tries) end(well);
    await Promise.all(turns);
  });

  test('one that was quick and is slow now is a stranger again', async () => {
    const receivers = receiversWith({ places: 4, maxActive: 4 });
    await meet(receivers, 'a');
    const slow = held();
    const turn = receivers.turn('a', 'd', slow.act);
    pass(15_000);
    slow.end(well);
    await turn;
    const tries = Array.from({ length: 3 }, held);
    const turns = tries.map(({ act }, index) => receivers.turn('b', `b${index}`, act));
    expect(deferred(await receivers.turn('a', 'd', async () => well))).toBeGreaterThan(0);
    for (const { end } of tries) end(well);
    await Promise.all(turns);
  });

  test('with few places there is none to keep apart', async () => {
    for (const places of [1, 2, 3]) {
      const receivers = receiversWith({ places, maxActive: 8 });
      const tries = Array.from({ length: places }, held);
      const turns = tries.map(({ act }, index) => receivers.turn(`s${index}`, `d${index}`, act));
      expect(deferred(await receivers.turn('another', 'd', async () => well))).toBeGreaterThan(0);
      for (const { end } of tries) end(well);
      expect(await Promise.all(turns)).toEqual(Array(places).fill({ done: well }));
    }
  });
});

describe('circuit breaker', () => {
  test('after ten failures in a row nothing is sent for a while; then a single try decides', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 8 });
    await fail(receivers, 'a', 10);
    const act = vi.fn(async () => well);
    expect(deferred(await receivers.turn('a', 'd', act))).toBeGreaterThanOrEqual(3_750);
    expect(act).not.toHaveBeenCalled();
    expect(await receivers.turn('b', 'd', act)).toEqual({ done: well });

    pass(600_000);
    const probe = held();
    const turn = receivers.turn('a', 'probe', probe.act);
    act.mockClear();
    // While it is under way, nobody else is sent, and nobody waits in a place.
    const others = await Promise.all(['x', 'y', 'z'].map((id) => receivers.turn('a', id, act)));
    expect(others.map(deferred).every((ms) => (ms ?? 0) >= 3_750)).toBe(true);
    expect(act).not.toHaveBeenCalled();
    probe.end(unwell);
    expect(await turn).toEqual({ done: unwell });
    expect(deferred(await receivers.turn('a', 'x', act))).toBeGreaterThan(0);

    pass(600_000);
    expect(await receivers.turn('a', 'x', act)).toEqual({ done: well });
    for (let i = 0; i < 20; i += 1) expect(await receivers.turn('a', `n${i}`, act)).toEqual({ done: well });
  });

  test('nine are not enough, and one success begins the count anew', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 8 });
    for (let i = 0; i < 5; i += 1) {
      await fail(receivers, 'a', 9);
      await meet(receivers, 'a');
    }
    expect(await receivers.turn('a', 'd', async () => well)).toEqual({ done: well });
  });

  test('many that wait for it do not all come back at once', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 8 });
    await fail(receivers, 'a', 10);
    const waits: number[] = [];
    for (let i = 0; i < 20_000; i += 1)
      waits.push(deferred(await receivers.turn('a', `w${i}`, async () => well)) ?? 0);
    expect(Math.min(...waits.slice(-100))).toBeGreaterThanOrEqual(140_000);
  });

  test('a probe that we broke off ourselves blocks nobody', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 8 });
    await fail(receivers, 'a', 10);
    pass(600_000);
    await expect(receivers.turn('a', 'd', () => Promise.reject(new Error('stopping')))).rejects.toThrow(
      'stopping',
    );
    expect(await receivers.turn('a', 'd', async () => well)).toEqual({ done: well });
  });
});

describe('memory', () => {
  test('of receivers is bounded: the one not used for longest goes first, and none that is at work', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 1 });
    const busy = held();
    const turn = receivers.turn('busy', 'd', busy.act);
    await fail(receivers, 'broken', 10);
    for (let i = 0; i < 15_000; i += 1) {
      await meet(receivers, `r${i}`);
      // Used again and again, so that it is never the oldest: what is known of it stays.
      if (i % 1_000 === 0)
        expect(deferred(await receivers.turn('broken', 'd', async () => well))).toBeGreaterThan(0);
    }
    expect(receivers.size()).toBeLessThanOrEqual(10_000);
    expect(deferred(await receivers.turn('busy', 'e', async () => well))).toBeGreaterThan(0);
    busy.end(well);
    await turn;
  });

  test('of those nobody delivers to ends after hours', async () => {
    const receivers = receiversWith({ places: 64, maxActive: 8 });
    await meet(receivers, 'a');
    pass(3 * 3_600_000);
    await meet(receivers, 'b');
    receivers.forgetIdle();
    expect(receivers.size()).toBe(2);
    pass(4 * 3_600_000);
    receivers.forgetIdle();
    expect(receivers.size()).toBe(1);
  });
});

test('what is a receiver: an endpoint, or a server that runs of a tenant name', () => {
  expect(receiverKey('t', 'whk_1', 'https://a.example/x')).toBe('whk_1');
  const own = (tenant: string, url: string) => receiverKey(tenant, undefined, url);
  expect(own('t', 'https://a.example/x?y')).toBe(own('t', 'HTTPS://A.example:443/z'));
  expect(own('t', 'https://a.example/')).not.toBe(own('t', 'http://a.example/'));
  expect(own('t', 'https://a.example/')).not.toBe(own('t', 'https://a.example:8443/'));
  // One tenant's failures at a server that many use break no circuit of another's.
  expect(own('t', 'https://a.example/')).not.toBe(own('u', 'https://a.example/'));
  expect(own('t', 'nonsense')).toContain('nonsense');
});
