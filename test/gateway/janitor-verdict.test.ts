import { describe, expect, test } from 'vitest';
import { judgeService, type ServiceVerdict } from '../../services/gateway/janitor/service-verdict.ts';
import { type Action, actionFor, judge, type Verdict } from '../../services/gateway/janitor/verdict.ts';
import { activeStatuses, type RunStatus, terminalStatuses } from '../../shared/run-states.ts';
import { type ServiceStatus, type ServiceWanted, serviceStatuses } from '../../shared/service-states.ts';

const second = 1_000;
const expiryMs = 600 * second;
const lostAfterMs = 30 * second;
const now = 1_700_000_000_000;

/** `*` stands for any; several with `|` between. */
type Row<Answer> = readonly [...conditions: string[], answer: Answer];

/** The one row that speaks of these circumstances: a table that says nothing of some, or two things, fails. */
function rowOf<Answer>(table: readonly Row<Answer>[], circumstances: readonly string[]): Answer {
  const rows = table.filter((row) =>
    circumstances.every((one, i) => row[i] === '*' || String(row[i]).split('|').includes(one)),
  );
  expect(rows, circumstances.join(', ')).toHaveLength(1);
  return rows[0]?.at(-1) as Answer;
}

function every<T>(...dimensions: readonly (readonly T[])[]): T[][] {
  return dimensions.reduce<T[][]>(
    (all, values) => all.flatMap((one) => values.map((v) => [...one, v])),
    [[]],
  );
}

describe('an open run', () => {
  const statuses = ['none', 'unheard-of', ...activeStatuses, ...terminalStatuses];
  /** Whether it has a worker, and for how long that is dead. */
  const workers: Record<string, { worker: string | null; workerDeadMs: number | undefined }> = {
    nobody: { worker: null, workerDeadMs: undefined },
    alive: { worker: 'wrk_1', workerDeadMs: undefined },
    'dead 0 s': { worker: 'wrk_1', workerDeadMs: 0 },
    'dead 30 s': { worker: 'wrk_1', workerDeadMs: 30 * second },
    'dead 31 s': { worker: 'wrk_1', workerDeadMs: 31 * second },
    'dead 600 s': { worker: 'wrk_1', workerDeadMs: 600 * second },
    'dead 601 s': { worker: 'wrk_1', workerDeadMs: 601 * second },
  };
  const overdue: Record<string, number> = {
    'in 60 s': -60 * second,
    'since 15 s': 15 * second,
    'since 16 s': 16 * second,
    'since 600 s': 600 * second,
    'since 601 s': 601 * second,
  };
  const unheld = 'nobody|dead 0 s|dead 30 s|dead 31 s|dead 600 s|dead 601 s';
  const ended = terminalStatuses.join('|');
  const recent = 'nobody|dead 0 s|dead 30 s';

  //   status             worker                  cancel  job    due                        verdict
  const table: Row<Verdict>[] = [
    [`none|${ended}`, '*', '*', '*', '*', 'gone'],
    ['unheard-of', '*', '*', '*', '*', 'broken'],
    ['queued|pulling|running', 'alive', '*', '*', '*', 'leave'],
    ['queued|pulling|running', unheld, 'yes', '*', '*', 'cancelled'],
    ['queued', unheld, 'no', '*', 'since 601 s', 'expired'],
    ['queued', unheld, 'no', 'no', 'since 16 s|since 600 s', 'enqueue'],
    ['queued', unheld, 'no', 'yes', 'since 16 s|since 600 s', 'leave'],
    ['queued', unheld, 'no', '*', 'in 60 s|since 15 s', 'leave'],
    ['pulling|running', recent, 'no', '*', '*', 'leave'],
    ['pulling', 'dead 31 s|dead 600 s', 'no', 'no', '*', 'enqueue'],
    ['pulling', 'dead 31 s|dead 600 s', 'no', 'yes', '*', 'leave'],
    ['running', 'dead 31 s|dead 600 s', 'no', '*', '*', 'retry_or_lost'],
    ['pulling|running', 'dead 601 s', 'no', '*', '*', 'worker_lost'],
  ];

  test.each(statuses)('that is %s', (status) => {
    const yesNo = ['yes', 'no'];
    for (const circumstances of every([status], Object.keys(workers), yesNo, yesNo, Object.keys(overdue))) {
      const [, worker = '', cancel, job, due = ''] = circumstances;
      const run = {
        id: 'run_1',
        status: (status === 'none' ? null : status) as RunStatus | null,
        ...(workers[worker] as (typeof workers)[string]),
        cancelRequested: cancel === 'yes',
        losses: 0,
        dueAt: now - (overdue[due] as number),
        hasJob: job === 'yes',
      };
      expect(judge(run, now, { expiryMs, lostAfterMs }), circumstances.join(', ')).toBe(
        rowOf(table, circumstances),
      );
    }
  });
});

describe('what is done about an open run', () => {
  const records = ['missing', 'unreadable', 'in a service', 'plain'];
  const losses = { 'an attempt left': 1, 'no attempt left': 2 };
  const verdicts = [
    'gone',
    'broken',
    'enqueue',
    'cancelled',
    'expired',
    'worker_lost',
    'retry_or_lost',
  ] as const;
  const readable = 'in a service|plain';

  //   verdict            record           retries            job    action
  const table: Row<Action>[] = [
    ['broken', '*', '*', '*', 'end_broken'],
    ['gone', '*', '*', '*', 'drop'],
    ['enqueue|cancelled|expired|worker_lost|retry_or_lost', 'missing', '*', '*', 'drop'],
    ['cancelled', `unreadable|${readable}`, '*', '*', 'end_cancelled'],
    ['enqueue|expired|worker_lost|retry_or_lost', 'unreadable', '*', '*', 'end_broken'],
    ['enqueue|retry_or_lost', 'in a service', '*', '*', 'end_worker_lost'],
    ['enqueue', 'plain', '*', '*', 'add_job'],
    ['retry_or_lost', 'plain', 'no attempt left', '*', 'end_worker_lost'],
    ['retry_or_lost', 'plain', 'an attempt left', 'no', 'add_job'],
    ['retry_or_lost', 'plain', 'an attempt left', 'yes', 'none'],
    ['worker_lost', readable, '*', '*', 'end_worker_lost'],
    ['expired', readable, '*', '*', 'end_expired'],
  ];

  test.each(verdicts)('after the verdict %s', (verdict) => {
    for (const circumstances of every([verdict], records, Object.keys(losses), ['yes', 'no'])) {
      const [, kind, attempts = '', job] = circumstances;
      const record =
        kind === 'missing'
          ? undefined
          : { unreadable: kind === 'unreadable', inService: kind === 'in a service', retries: 2 };
      const run = { losses: losses[attempts as keyof typeof losses], hasJob: job === 'yes' };
      expect(actionFor(verdict, run, record), circumstances.join(', ')).toBe(rowOf(table, circumstances));
    }
  });
});

describe('a service', () => {
  const wishes = ['running', 'idle', 'stopped', 'removed'] as const;
  const workers: Record<string, [worker: string | null, deadMs: number | undefined]> = {
    nobody: [null, undefined],
    alive: ['wrk_1', undefined],
    'dead 10 s': ['wrk_1', 10 * second],
    'dead 11 s': ['wrk_1', 11 * second],
    'dead 30 s': ['wrk_1', 30 * second],
    'dead 31 s': ['wrk_1', 31 * second],
  };
  const others = 'ready|idle|stopped|crash_looping|removed';

  //   wanted             status                   worker                              volumes  verdict
  const table: Row<ServiceVerdict>[] = [
    ['*', '*', 'alive|dead 10 s', '*', 'leave'],
    ['*', `${others}|failed`, 'dead 11 s|dead 30 s', '*', 'leave'],
    ['removed', '*', 'nobody|dead 31 s', '*', 'forget'],
    ['removed', 'starting', 'dead 11 s|dead 30 s', '*', 'forget'],
    ['idle|stopped', '*', 'nobody|dead 31 s', '*', 'leave'],
    ['idle|stopped', 'starting', 'dead 11 s|dead 30 s', '*', 'leave'],
    ['running', 'failed', 'nobody|dead 31 s', '*', 'leave'],
    ['running', `starting|${others}`, 'nobody', '*', 'place'],
    ['running', `starting|${others}`, 'dead 31 s', 'no', 'place'],
    ['running', `starting|${others}`, 'dead 31 s', 'yes', 'node_lost'],
    // Somebody waits for it.
    ['running', 'starting', 'dead 11 s|dead 30 s', 'no', 'place'],
    ['running', 'starting', 'dead 11 s|dead 30 s', 'yes', 'node_lost'],
  ];

  test.each(wishes)('that is wanted %s', (wanted: ServiceWanted) => {
    for (const circumstances of every<string>([wanted], serviceStatuses, Object.keys(workers), [
      'yes',
      'no',
    ])) {
      const [, status, who = '', volumes] = circumstances;
      const [worker, deadMs] = workers[who] as (typeof workers)[string];
      const head = { request: { volumes: volumes === 'yes' ? [{ name: 'data' }] : [] } };
      const service = { wanted, status: status as ServiceStatus, worker, head };
      expect(judgeService(service, deadMs, lostAfterMs), circumstances.join(', ')).toBe(
        rowOf(table, circumstances),
      );
    }
  });
});
