import type { StatusEvent } from '../contracts/events.ts';
import type { ProblemBody } from '../contracts/problem.ts';
import type { RunRequest } from '../contracts/run-request.ts';
import { patternsFor } from '../contracts/webhook.ts';
import type { Keys } from '../keys.ts';
import { Problem } from '../problems.ts';
import type { RedisConnection } from '../redis.ts';
import { type ActiveStatus, isTerminal, type RunStatus, type TerminalStatus } from '../run-states.ts';
import type { Sealer } from '../secrets.ts';
import { systemBytesProblem, tenantBytesProblem } from './byte-quota.ts';
import { hookContext } from './outbox.ts';
import { createRunClaims, noteRetries } from './run-claims.ts';
import { endBroken, faultOfOurs } from './run-fault.ts';
import { jobKeys, jobName, jobOptions, jobPriority, type RunJobData } from './run-jobs.ts';
import { headOf, sealParts } from './run-parts.ts';
import { readWhole } from './run-reading.ts';
import {
  emptyState,
  exitEventOf,
  parseHead,
  parseRecord,
  type RunHead,
  type RunRecord,
  type RunState,
  recordFields,
} from './run-record.ts';
import { loadScript, loadVitalScript, text } from './scripts.ts';

const scripts = {
  create: loadScript('add-job', 'create'),
  move: loadVitalScript('move'),
  append: loadVitalScript('append'),
  finish: loadVitalScript('due', 'free-bytes', 'end-job', 'finish'),
  requeue: loadVitalScript('requeue'),
  cancel: loadVitalScript('cancel'),
  forget: loadVitalScript('forget'),
};

/** The holder of a run. Every change of the run checks these values. */
export type Holder = { runId: string; tenant: string; attempt: number; worker: string };

export type NewEvent = { type: 'stdout' | 'stderr' | 'pull'; step?: string; data: Buffer | string };

const triple = ({ type, step, data }: NewEvent) => [
  type,
  step === undefined || step === 'run' ? '' : step,
  data,
];

/** Upper bounds, in ms, of the histogram of a run's total time. */
export const durationBuckets = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000] as const;

/** The most that may be unfinished at a time: runs, bytes of their requests, and deliveries. */
export type RunBounds = {
  maxTenantRuns: number;
  maxRuns: number;
  maxDeliveries: number;
  /** The bytes of the tenant's services count too. */
  tenantBytes?: number;
  systemBytes?: number;
};

export type RunStore = ReturnType<typeof createRunStore>;

/** Every read and write of a run. All changes are atomic and fenced by (status, attempt, worker). */
export function createRunStore(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  const jobs = jobKeys(keys);
  const subscribersOfRuns = (tenant: string) =>
    patternsFor('run.finished').map((pattern) => keys.subscribers(tenant, pattern));

  return {
    ...createRunClaims(redis, keys, sealer),

    /** Stores a new run. Throws 429 or 503 if the tenant or the system is full. `exists`: the Idempotency-Key already has a run. */
    async create(
      head: Omit<RunHead, 'request' | 'told'>,
      request: RunRequest,
      bounds: RunBounds,
      options: {
        idempotency?: { digest: string; field: string };
        /** The channel on which a gateway waits for the run's end (run-end.ts). */
        ends?: string;
        /** The run can be taken at once: its job is added in the same step. */
        job?: RunJobData;
      } = {},
    ): Promise<{ outcome: 'created' | 'exists'; id: string }> {
      const { id, tenant } = head;
      const { idempotency } = options;
      const { payload, secrets } = sealParts(sealer, id, request);
      const reply = (await scripts.create(
        redis,
        [
          keys.run(id),
          keys.events(id),
          keys.tenantRuns(tenant),
          keys.open,
          keys.tenantOpen(tenant),
          keys.tenantBytes(tenant),
          keys.stats,
          keys.idempotency(tenant, idempotency?.digest ?? '-'),
          keys.tenantPending(tenant),
          keys.outbox,
          ...[jobs.job(id), jobs.prioritized, jobs.counter, jobs.marker],
          ...subscribersOfRuns(tenant),
        ],
        [
          id,
          JSON.stringify(headOf(head, request)),
          payload,
          secrets ?? '',
          head.dueAt,
          bounds.maxTenantRuns,
          bounds.maxRuns,
          bounds.tenantBytes ?? Number.MAX_SAFE_INTEGER,
          bounds.systemBytes ?? Number.MAX_SAFE_INTEGER,
          idempotency?.field ?? '',
          statusEvent('queued', 0),
          request.webhook === undefined ? '' : sealer.seal(JSON.stringify(request.webhook), hookContext(id)),
          bounds.maxDeliveries,
          options.ends ?? '',
          request.retries,
          tenant,
          head.createdAt,
          ...(options.job === undefined ? [] : jobArguments(options.job, request.priority)),
        ],
      )) as unknown[];
      const [outcome, ...more] = reply.map(text);
      if (outcome !== 'created' && outcome !== 'exists') throw refusal(outcome, bounds, more);
      return { outcome, id: more[0] ?? id };
    },

    /** Without its request, unless an earlier version stored the run: see `readWhole`. */
    async read(id: string): Promise<RunRecord | undefined> {
      const [forgotten, ...fields] = await redis.hmget(keys.run(id), 'forgotten', ...recordFields);
      // A forgotten run's record is kept only until its webhooks are on their way.
      return forgotten ? undefined : parseRecord(id, fields);
    },

    readWhole: (id: string) => readWhole(redis, keys, sealer, id),

    async status(id: string): Promise<RunStatus | undefined> {
      return ((await redis.hget(keys.run(id), 'status')) as RunStatus | null) ?? undefined;
    },

    /** A tenant's ids, newest first, that come after `before`. */
    async ids(tenant: string, before: string | undefined, count: number): Promise<string[]> {
      const from = before === undefined ? '+' : `(${before}`;
      return redis.zrevrangebylex(keys.tenantRuns(tenant), from, '-', 'LIMIT', 0, count);
    },

    /** Moves between active states. `lost`: another attempt holds the run. `cancelled`: somebody wants it to end. */
    async move(holder: Holder, to: ActiveStatus, state: RunState): Promise<'moved' | 'lost' | 'cancelled'> {
      const reply = await scripts.move(
        redis,
        [keys.run(holder.runId), keys.events(holder.runId)],
        [
          holder.attempt,
          holder.worker,
          to,
          JSON.stringify(state),
          statusEvent(to, holder.attempt),
          keys.wake(holder.runId),
        ],
      );
      return text(reply) as 'moved' | 'lost' | 'cancelled';
    },

    /**
     * Adds output or progress to the run's stream; false if the run is no longer the holder's. The appends of one attempt are
     * sent one after another, each with a new `sequence`. If the same one is sent twice, it is written once.
     */
    async append(holder: Holder, sequence: string, entries: NewEvent[]): Promise<boolean> {
      const reply = await scripts.append(
        redis,
        [keys.run(holder.runId), keys.events(holder.runId)],
        [holder.attempt, holder.worker, keys.wake(holder.runId), sequence, ...entries.flatMap(triple)],
      );
      return text(reply) === 'appended';
    },

    /**
     * Ends the run, and adds the last of its output. Its job, if there is one that this token holds, is done with it. False: nothing was written, because it had ended already or another
     * attempt holds it.
     */
    async finish(
      holder: Holder,
      status: TerminalStatus,
      state: RunState,
      outputBytes: number,
      createdAt: string,
      last?: { sequence: string; entries: NewEvent[] },
      jobToken = '',
    ): Promise<boolean> {
      const id = holder.runId;
      // If the time cannot be parsed, the script would fail after half of its writes. So 0 is used.
      const durationMs = Math.max(0, Date.now() - Date.parse(createdAt)) || 0;
      const reply = await scripts.finish(
        redis,
        [
          keys.run(id),
          keys.spec(id),
          keys.events(id),
          keys.open,
          keys.tenantOpen(holder.tenant),
          keys.finished,
          keys.stats,
          keys.attach(id),
          keys.outbox,
          keys.listeners(holder.tenant),
          keys.tenantBytes(holder.tenant),
          ...[jobs.job(id), jobs.lock(id), jobs.active, jobs.stalled],
          ...subscribersOfRuns(holder.tenant),
        ],
        [
          id,
          holder.attempt,
          holder.worker,
          status,
          JSON.stringify(state),
          JSON.stringify(exitEventOf(status, holder.attempt, state)),
          Date.now(),
          outputBytes + state.artifacts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
          keys.wake(id),
          durationMs,
          durationBuckets.find((bound) => durationMs <= bound) ?? 'inf',
          keys.outboxWake,
          jobToken,
          ...(last === undefined || last.entries.length === 0
            ? []
            : [last.sequence, ...last.entries.flatMap(triple)]),
        ],
      );
      return text(reply) === 'finished';
    },

    /** The attempt was lost, but not through the program. The run goes back to the queue if `retries` allows another attempt. */
    async requeue(holder: Holder): Promise<'requeued' | 'refused' | 'lost'> {
      const requeueOnce = async () =>
        text(
          await scripts.requeue(
            redis,
            [keys.run(holder.runId), keys.events(holder.runId)],
            [holder.attempt, holder.worker, statusEvent('queued', holder.attempt), keys.wake(holder.runId)],
          ),
        ) as 'requeued' | 'refused' | 'lost' | 'unknown';
      const said = await requeueOnce();
      if (said !== 'unknown') return said;
      await noteRetries(redis, keys, holder.runId);
      const known = await requeueOnce();
      return known === 'unknown' ? 'refused' : known;
    },

    /** The part of a run that never changes; `undefined` if the run is gone. Throws if it cannot be read. */
    async head(id: string): Promise<RunHead | undefined> {
      const json = await redis.hget(keys.run(id), 'head');
      if (json === null) return undefined;
      const head = parseHead(id, json);
      if (head === undefined) throw new Error(`the record of ${id} cannot be read`);
      return head;
    },

    /** Marks the run to be cancelled and tells its worker. `unheld`: the caller ends it (see endUnheld). */
    async cancel(id: string): Promise<'gone' | 'ended' | 'unheld' | 'asked'> {
      const reply = (await scripts.cancel(redis, [keys.run(id)], [keys.workerWake(''), id])) as unknown[];
      return text(reply[0]) as 'gone' | 'ended' | 'unheld' | 'asked';
    },

    /** Ends a run that no worker holds, at any attempt. */
    async endUnheld(record: RunRecord, status: TerminalStatus, state: Partial<RunState>): Promise<boolean> {
      const { id, tenant, createdAt } = record.head;
      const whole = { ...emptyState, ...record.state, ...state, finishedAt: new Date().toISOString() };
      whole.steps = whole.steps.map((step) => (isTerminal(step.status) ? step : { ...step, status }));
      return this.finish(
        { runId: id, tenant, attempt: record.attempt, worker: '' },
        status,
        whole,
        0,
        createdAt,
      );
    },

    /** Ends a run that cannot be carried out because Runlet itself failed (run-fault.ts). */
    async endBroken(
      id: string,
      error: ProblemBody = faultOfOurs(),
      holder?: { attempt: number; worker: string },
    ): Promise<boolean> {
      return endBroken(redis, keys, this.finish, id, error, holder);
    },

    async forget(id: string, tenant: string): Promise<'forgotten' | 'active' | 'gone'> {
      const reply = await scripts.forget(
        redis,
        [keys.run(id), keys.spec(id), keys.events(id), keys.tenantRuns(tenant), keys.finished, keys.stats],
        [id],
      );
      return text(reply) as 'forgotten' | 'active' | 'gone';
    },

    /** Which of these runs are no longer the holder's, or are to be cancelled. One round trip. */
    async verdicts(holders: Holder[]): Promise<('held' | 'lost' | 'cancelled')[]> {
      return Promise.all(
        holders.map(async (holder) => {
          const [status, attempt, worker, cancel] = await redis.hmget(
            keys.run(holder.runId),
            'status',
            'attempt',
            'worker',
            'cancel',
          );
          const active = status === 'queued' || status === 'pulling' || status === 'running';
          if (!active || attempt !== String(holder.attempt) || worker !== holder.worker) return 'lost';
          return cancel === null ? 'held' : 'cancelled';
        }),
      );
    },
  };
}

const jobArguments = (job: RunJobData, priority: number) => [
  jobName,
  JSON.stringify(job),
  JSON.stringify(jobOptions),
  jobPriority(priority),
  Date.now(),
];

/** The reason why create.lua stored nothing. @param more what the tenant has, and what this run would add, in bytes */
function refusal(outcome: string | undefined, bounds: RunBounds, more: string[]): Problem {
  switch (outcome) {
    case 'deliveries_full':
      return new Problem(
        'quota_exceeded',
        `${bounds.maxDeliveries} webhook deliveries of this tenant have not ended yet: see GET /v1/deliveries?status=pending for the receivers that do not answer, and delete or disable their endpoints.`,
        { retryAfterSeconds: 30 },
      );
    case 'tenant_full':
      return new Problem(
        'quota_exceeded',
        `${bounds.maxTenantRuns} runs of this tenant have not ended yet: wait for some of them.`,
        { retryAfterSeconds: 2 },
      );
    case 'tenant_bytes_full':
      return tenantBytesProblem(more, bounds.tenantBytes);
    case 'system_bytes_full':
      return systemBytesProblem();
    default:
      return new Problem('overloaded', 'Too many runs are waiting: try again later.', {
        retryAfterSeconds: 5,
      });
  }
}

function statusEvent(status: RunStatus, attempt: number): string {
  return JSON.stringify({ status, attempt, at: new Date().toISOString() } satisfies StatusEvent);
}
