import { Problem } from '../../../shared/problems.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';
import { type ActionParts, setWanted } from '../services/actions.ts';
import type { Caller } from './clients/caller.ts';
import type { Known, KnownServices } from './known-services.ts';

export type WakeParts = Pick<Gateway, 'env' | 'stopWaiting'> & ActionParts;

/** Hints may be missed, so the record is also read this often. */
const pollMs = 500;

/** What a request has to do about its service. A problem: answer with it. */
function verdict({ head, status, wanted, state }: ServiceRecord): 'go' | 'wait' | 'wake' | Problem {
  if (wanted === 'removed' || status === 'removed') return removed(head.name);
  if (wanted === 'stopped' || (wanted === 'running' && status === 'stopped'))
    return new Problem(
      'service_stopped',
      `The service ${head.name} is stopped, and no request wakes it: POST /v1/services/${head.id}/start does.`,
      { retryAfterSeconds: 30 },
    );
  // Its container may still run: it is being stopped.
  if (wanted === 'idle') return 'wake';
  if (status === 'failed' || status === 'crash_looping')
    return new Problem(
      'service_crashed',
      `The service ${head.name} ${status === 'failed' ? 'has failed' : 'ends again and again'}: ${state.error?.detail ?? 'see its logs.'}`,
      { retryAfterSeconds: status === 'failed' ? 30 : 5 },
    );
  return status === 'ready' && state.place !== null ? 'go' : 'wait';
}

const removed = (name: string) =>
  new Problem('not_found', `The service ${name} is being removed: see GET /v1/services.`);

export type AwaitReady = ReturnType<typeof createAwaitReady>;

export type Waiting = Pick<Caller, 'gone' | 'whenGone'>;

/** Wakes a service, or waits until it is ready, before a request goes on. Of all requests that find it asleep, one wakes it. */
export function createAwaitReady(gateway: WakeParts, services: KnownServices) {
  const waking = new Map<Known, Promise<void>>();

  function wake(known: Known): Promise<void> {
    const under = waking.get(known);
    if (under !== undefined) return under;
    const mine = setWanted(gateway, known.record, 'wake')
      .then(() => services.look(known))
      .finally(() => waking.delete(known));
    waking.set(known, mine);
    return mine;
  }

  function nextChange(known: Known, ms: number, whenGone: (tell: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        known.waiting.delete(done);
        gateway.stopWaiting.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      known.waiting.add(done);
      gateway.stopWaiting.signal.addEventListener('abort', done);
      whenGone(done);
    });
  }

  async function wait(known: Known, caller: Waiting): Promise<void> {
    const waitMs = gateway.env.RUNLET_SERVICE_WAIT_MS;
    const until = performance.now() + waitMs;
    while (!caller.gone) {
      if (known.gone) throw removed(known.record.head.name);
      const now = verdict(known.record);
      if (now === 'go') return;
      if (now instanceof Problem) throw now;
      const left = until - performance.now();
      if (left <= 0 || gateway.stopWaiting.signal.aborted)
        throw new Problem(
          'service_not_ready',
          `The service ${known.record.head.name} was not ready within ${waitMs} ms: it is ${known.record.status}. Try again.`,
          { retryAfterSeconds: 5 },
        );
      if (now === 'wake') {
        await wake(known);
        if (verdict(known.record) !== 'wake') continue;
      }
      const before = performance.now();
      await nextChange(known, Math.min(left, pollMs), (tell) => caller.whenGone(tell));
      // No hint came. A store that does not answer for a moment does not end the wait.
      if (performance.now() - before >= pollMs) await services.look(known).catch(() => {});
    }
  }

  /**
   * Resolves when requests can go to it, or the caller has gone. Throws the problem to answer with.
   *
   * @param caller `whenGone` is told what to call when the client goes
   */
  return function awaitReady(known: Known, caller: Waiting): Promise<void> | undefined {
    return !known.gone && verdict(known.record) === 'go' ? undefined : wait(known, caller);
  };
}
