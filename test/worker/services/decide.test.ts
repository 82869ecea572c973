import { describe, expect, test } from 'vitest';
import {
  type Action,
  decide,
  decideKeeping,
  decideWhileStopping,
  downStatus,
  endOf,
  firstMemory,
  forgetEnds,
  type Look,
  lookMs,
  type Memory,
  restMs,
} from '../../../services/worker/services/decide.ts';
import { serviceStatuses } from '../../../shared/service-states.ts';
import { emptyServiceState } from '../../../shared/stores/service-record.ts';

type Record = NonNullable<Look['record']>;

const me = 'wrk_me';
const now = 1_000_000;
const running = { id: 'c1', running: true, startedAt: '2026-01-01T00:00:00Z', finishedAt: null };
const ended = { ...running, running: false, finishedAt: '2026-01-01T00:01:00Z' };
const neverRan = { ...running, running: false, startedAt: null };
const containers = [null, neverRan, running, ended];
const policies = ['never', 'on-failure', 'always'] as const satisfies Look['policy'][];
const wants = ['running', 'idle', 'stopped', 'removed'] as const;

const memory: Memory = {
  startedFor: 3,
  bouncedFor: 2,
  settledFor: -1,
  ready: true,
  nextStartAt: 0,
  endsInARow: 0,
  handledEnd: '',
  engineWasAway: false,
};
const record: Record = { worker: me, wanted: 'running', status: 'ready', restart: 3, bounce: 2 };
const look: Look = { record, workerId: me, policy: 'always', overDisk: false, container: running, now };

type Case = { memory?: Partial<Memory>; record?: Partial<Record>; look?: Partial<Look> };
const actionIn = (one: Case): Action =>
  decide({ ...memory, ...one.memory }, { ...look, record: { ...record, ...one.record }, ...one.look });

const none = { container: null };
const fresh = { restart: 4 };
const handled = { handledEnd: endOf(ended) };
const settled = { settledFor: 3 };

describe('what a keeper does next', () => {
  test.each<[string, Case, Action]>([
    // Whose it is comes before all else.
    ['its record is gone', { look: { record: undefined } }, 'fence'],
    ['it is another worker’s', { record: { worker: 'wrk_other' } }, 'fence'],
    ['it is nobody’s', { record: { worker: null } }, 'fence'],
    ['another’s, and to be removed', { record: { worker: 'wrk_other', wanted: 'removed' } }, 'fence'],
    // Then that it is to go.
    ['it is to be removed', { record: { wanted: 'removed' } }, 'remove'],
    [
      'to be removed, the engine not asked',
      { record: { wanted: 'removed' }, look: { container: undefined } },
      'remove',
    ],
    [
      'to be removed, and over its disk',
      { record: { wanted: 'removed' }, look: { overDisk: true } },
      'remove',
    ],
    // Then its disk.
    ['it is over its disk', { look: { overDisk: true } }, 'discard'],
    [
      'over its disk, and to be stopped',
      { record: { wanted: 'stopped' }, look: { overDisk: true } },
      'discard',
    ],
    ['over its disk, the engine not asked', { look: { overDisk: true, container: undefined } }, 'discard'],
    // For the rest its container counts.
    ['the engine was not asked', { look: { container: undefined } }, 'inspect'],
    [
      'to be stopped, the engine not asked',
      { record: { wanted: 'stopped' }, look: { container: undefined } },
      'inspect',
    ],
    // Not wanted to run.
    ['it runs, and is to sleep', { record: { wanted: 'idle' } }, 'stop'],
    ['it runs, and is to stop', { record: { wanted: 'stopped' } }, 'stop'],
    ['a fresh start, and then a stop', { record: { wanted: 'stopped', ...fresh } }, 'stop'],
    [
      'it sleeps, its container there',
      { record: { wanted: 'idle' }, look: { container: ended } },
      'rest-down',
    ],
    ['it sleeps, its container gone', { record: { wanted: 'idle' }, look: none }, 'rest-down'],
    [
      'it is stopped, and never ran',
      { record: { wanted: 'stopped' }, look: { container: neverRan } },
      'rest-down',
    ],
    // Wanted to run, and runs.
    ['it runs, and is ready', {}, 'watch-idle'],
    ['it runs, and was not seen ready', { memory: { ready: false } }, 'await-ready'],
    ['it runs, and is not said to be ready', { record: { status: 'starting' } }, 'await-ready'],
    ['it runs, and looped before', { record: { status: 'crash_looping' } }, 'await-ready'],
    ['it runs, and slept before', { record: { status: 'idle' } }, 'await-ready'],
    ['it runs, and a start is asked for', { record: fresh }, 'watch-idle'],
    ['it comes up, and a start is asked for', { memory: { ready: false }, record: fresh }, 'await-ready'],
    ['it runs, and a restart is asked for', { record: { ...fresh, bounce: 3 } }, 'bounce'],
    [
      'it comes up, and a restart is asked for',
      { memory: { ready: false }, record: { ...fresh, bounce: 3 } },
      'bounce',
    ],
    // A restart is always a fresh start, too; one without is of a record before that.
    ['a restart without a start', { record: { bounce: 3 } }, 'watch-idle'],
    // Wanted to run, and does not: a fresh start comes before what was.
    ['a start is asked for, without a container', { record: fresh, look: none }, 'start'],
    ['a start is asked for after its end', { record: fresh, look: { container: ended } }, 'start'],
    [
      'a start is asked for after its last end',
      { memory: settled, record: fresh, look: { container: ended } },
      'start',
    ],
    [
      'a start is asked for while it waits',
      { memory: { nextStartAt: now + 1 }, record: fresh, look: none },
      'start',
    ],
    [
      'a restart is asked for, and it does not run',
      { record: { ...fresh, bounce: 3 }, look: { container: ended } },
      'start',
    ],
    // Its end.
    ['it ended', { look: { container: ended } }, 'handle-end'],
    ['it ended, whatever the policy', { look: { container: ended, policy: 'never' } }, 'handle-end'],
    [
      'it ended as it came up',
      { memory: { ready: false }, record: { status: 'starting' }, look: { container: ended } },
      'handle-end',
    ],
    [
      'it ended a second time',
      { memory: { handledEnd: 'c1 2025-12-31T00:00:00Z' }, look: { container: ended } },
      'handle-end',
    ],
    ['its end was handled, and its time has come', { memory: handled, look: { container: ended } }, 'start'],
    [
      '… to the millisecond',
      { memory: { ...handled, nextStartAt: now }, look: { container: ended } },
      'start',
    ],
    [
      '… and has not come',
      { memory: { ...handled, nextStartAt: now + 1 }, look: { container: ended } },
      'rest',
    ],
    ['it ended for good', { memory: { ...handled, ...settled }, look: { container: ended } }, 'rest'],
    ['an adopted one that ended for good before', { memory: settled, look: { container: ended } }, 'rest'],
    ['it was made, and never ran', { look: { container: neverRan } }, 'start'],
    ['it failed, and never ran', { memory: settled, look: { container: neverRan } }, 'rest'],
    // Its container is gone.
    ['there is no container', { record: { status: 'starting' }, look: none }, 'start'],
    ['somebody removed its container', { look: none }, 'start'],
    ['somebody removed it, on-failure', { look: { ...none, policy: 'on-failure' } }, 'start'],
    ['somebody removed it, never', { look: { ...none, policy: 'never' } }, 'give-up'],
    [
      'its first start, never',
      { record: { status: 'starting' }, look: { ...none, policy: 'never' } },
      'start',
    ],
    [
      'somebody removed it, and a start is asked for',
      { record: fresh, look: { ...none, policy: 'never' } },
      'start',
    ],
    ['failed, without a container', { memory: settled, record: { status: 'failed' }, look: none }, 'rest'],
    ['it waits, without a container', { memory: { nextStartAt: now + 1 }, look: none }, 'rest'],
  ])('%s', (_, one, action) => {
    expect(actionIn(one)).toBe(action);
  });

  test('in every state with every event it does something that fits', () => {
    const seen = new Set<Action>();
    const wrong: unknown[] = [];
    for (const { memory, record, container, policy, overDisk } of everyCase()) {
      const action = actionIn({ memory, record, look: { container, policy, overDisk } });
      seen.add(action);
      if (!fitting(record.wanted, container, overDisk).includes(action))
        wrong.push([action, record, container]);
      const isFresh = record.restart !== 3;
      if (isFresh && ['rest', 'handle-end', 'give-up'].includes(action))
        wrong.push([action, record, container]);
      if (action === 'bounce' && !(isFresh && record.bounce !== 2)) wrong.push([action, record]);
    }
    expect(wrong).toEqual([]);
    // Each of them comes up, but for the one that a record of another worker's has.
    expect(seen.size).toBe(12);
    expect(seen).not.toContain('fence');
  });
});

/** What can be done at all, by what is wanted and what is there. */
function fitting(wanted: Record['wanted'], container: Look['container'], overDisk: boolean): Action[] {
  if (wanted === 'removed') return ['remove'];
  if (overDisk) return ['discard'];
  if (container === undefined) return ['inspect'];
  if (wanted !== 'running') return container?.running ? ['stop'] : ['rest-down'];
  if (container?.running) return ['bounce', 'await-ready', 'watch-idle'];
  return ['handle-end', 'give-up', 'start', 'rest'];
}

function* everyCase() {
  const both = [true, false];
  for (const wanted of wants)
    for (const status of serviceStatuses)
      for (const container of [...containers, undefined])
        for (const policy of policies)
          for (const overDisk of both)
            for (const [restart, bounce] of [
              [3, 2],
              [4, 2],
              [4, 3],
            ] as const)
              for (const ready of both)
                for (const settledFor of [-1, 3])
                  for (const handledEnd of ['', endOf(ended)])
                    for (const nextStartAt of [0, now + 1])
                      yield {
                        memory: { ready, settledFor, handledEnd, nextStartAt },
                        record: { wanted, status, restart, bounce },
                        container,
                        policy,
                        overDisk,
                      };
}

test.each([
  ['new', 'starting', null, -1, false],
  ['ready', 'ready', null, -1, false],
  ['looping', 'crash_looping', 'service_crashed', -1, false],
  ['asleep', 'idle', null, -1, false],
  ['stopped', 'stopped', null, 3, false],
  ['failed', 'failed', 'service_crashed', 3, false],
  ['failed with its node', 'failed', 'node_lost', -1, true],
] as const)('a service that is adopted %s', (_, status, code, settledFor, engineWasAway) => {
  const error = code && { code, title: '', status: 500, detail: '' };
  const state = { ...emptyServiceState, error: error as typeof emptyServiceState.error };
  expect(firstMemory({ restart: 3, bounce: 2, status, state })).toEqual({
    startedFor: 3,
    bouncedFor: 2,
    settledFor,
    ready: false,
    nextStartAt: 0,
    endsInARow: 0,
    handledEnd: '',
    engineWasAway,
  });
});

test('a fresh start forgets crashes and waits; what runs already is that start', () => {
  const crashed = { ...memory, settledFor: 3, nextStartAt: now + 60_000, endsInARow: 9, handledEnd: 'c1 x' };
  const asked = { restart: 4, bounce: 3 };
  const forgotten = { settledFor: -1, nextStartAt: 0, endsInARow: 0, bouncedFor: 3 };
  expect(forgetEnds(crashed, asked, false)).toEqual({ ...crashed, ...forgotten });
  expect(forgetEnds(crashed, asked, true)).toEqual({ ...crashed, ...forgotten, startedFor: 4 });
});

test.each([
  ['it ended for good', settled, lookMs],
  ['its next start is far', { nextStartAt: now + 60_000 }, lookMs],
  ['its next start is near', { nextStartAt: now + 40 }, 40],
  ['its next start is due', { nextStartAt: now }, 1],
])('%s: how long a keeper rests', (_, change, ms) => {
  expect(restMs({ ...memory, ...change }, record, now)).toBe(ms);
});

test('one end of a container is not another, nor another container’s', () => {
  const ends = [null, ended, { ...ended, finishedAt: '2026-01-01T00:02:00Z' }, { ...ended, id: 'c2' }].map(
    endOf,
  );
  expect(new Set(ends).size).toBe(4);
});

test.each([
  ...serviceStatuses.map(
    (status) => ['idle', status, ['idle', 'failed'].includes(status) ? undefined : 'idle'] as const,
  ),
  ...serviceStatuses.map(
    (status) => ['stopped', status, ['stopped', 'failed'].includes(status) ? undefined : 'stopped'] as const,
  ),
])('wanted %s, it is down and called %s: now called %s', (wanted, status, called) => {
  expect(downStatus({ wanted, status })).toBe(called);
});

test.each([
  ['idle', undefined, false, 'wait'],
  ['idle', { worker: 'wrk_other' }, true, 'wait'],
  ['idle', { wanted: 'running' }, false, 'hurry'],
  ['stopped', { wanted: 'running' }, true, 'hurry'],
  ['idle', { wanted: 'idle' }, false, 'look-again'],
  ['idle', { wanted: 'idle' }, true, 'report-down'],
  ['idle', { wanted: 'stopped' }, true, 'look-again'],
  ['idle', { wanted: 'removed' }, true, 'look-again'],
  ['stopped', { wanted: 'stopped' }, true, 'look-again'],
  ['stopped', { wanted: 'idle' }, true, 'look-again'],
  ['stopped', { wanted: 'removed' }, false, 'look-again'],
] as const)('while it is being stopped for %s, %j (long: %s): %s', (wanted, change, takesLong, next) => {
  const found = change && { ...record, ...change };
  expect(decideWhileStopping(wanted, { record: found, workerId: me, takesLong })).toBe(next);
});

test.each([
  [me, 'e1', 'keep'],
  [me, 'e2', 'keep'],
  [me, null, 'keep'],
  ['wrk_other', 'e1', 'adopt-if-dead'],
  ['wrk_other', 'e2', 'leave'],
  ['wrk_other', null, 'leave'],
  [null, 'e1', 'leave'],
  [null, null, 'leave'],
] as const)('a record of worker %s on engine %s: %s', (worker, engine, verdict) => {
  expect(decideKeeping({ worker, engine }, { workerId: me, engineId: 'e1' })).toBe(verdict);
});
