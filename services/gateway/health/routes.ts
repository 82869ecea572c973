import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { ok } from '../http/answers.ts';
import { bearer, jsonResponse, openProblems, problems } from '../http/describe.ts';
import { type App, mount } from '../http/mount.ts';
import { storeProblem } from '../http/store-errors.ts';
import type { Metrics } from './metrics.ts';

export type HealthParts = Pick<Gateway, 'redisServer' | 'workers'>;

const tags = ['Health'];
/** A health check needs an answer soon, also when Redis hangs. */
const patienceMs = 2_000;

const readiness = z
  .object({
    status: z.literal('ready'),
    redis: z.object({ version: z.string() }),
    workers: z.int(),
  })
  .meta({ id: 'Readiness' });

const health = z.object({ status: z.literal('alive') }).meta({ id: 'Health' });

export function mountHealth(app: App, gateway: HealthParts, metrics: Metrics): void {
  const options = { maxBodyBytes: 0 };
  const { 400: invalid, 503: unavailable } = openProblems(400, 503);

  mount(
    app,
    options,
    {
      method: 'get',
      path: '/healthz',
      document: {
        tags,
        security: [],
        operationId: 'getHealth',
        summary: 'Whether the process lives',
        description: 'It asks nobody else: an answer means that the gateway’s process runs.',
        responses: { 200: jsonResponse('It does.', health), 400: invalid },
      },
    },
    () => ok({ status: 'alive' }),
  );

  mount(
    app,
    options,
    {
      method: 'get',
      path: '/readyz',
      document: {
        tags,
        security: [],
        operationId: 'getReadiness',
        summary: 'Whether runs can be taken and done',
        description: 'Redis must answer, and at least one worker must live.',
        responses: {
          200: jsonResponse('Redis answers and a worker lives.', readiness),
          400: invalid,
          503: { ...unavailable, description: 'Not ready; `code` and `detail` say why.' },
        },
      },
    },
    async () => {
      const [version, workers] = await inTime(
        Promise.all([gateway.redisServer.version(), gateway.workers.list()]),
      );
      if (workers.length === 0)
        throw new Problem(
          'no_worker',
          'No worker is alive: start one, and see that it has the same Redis and prefix.',
          {
            retryAfterSeconds: 2,
          },
        );
      return ok({ status: 'ready', redis: { version }, workers: workers.length });
    },
  );

  mount(
    app,
    options,
    {
      method: 'get',
      path: '/metrics',
      admin: true,
      document: {
        tags,
        security: bearer,
        operationId: 'getMetrics',
        summary: 'Metrics for Prometheus',
        description: 'They tell of all tenants, so this is admin only.',
        responses: {
          200: {
            description: 'Prometheus text format 0.0.4.',
            content: { 'text/plain': { schema: z.string() } },
          },
          ...problems(403),
        },
      },
    },
    async () =>
      new Response(await inTime(metrics.text()), { headers: { 'content-type': metrics.contentType } }),
  );
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      work,
      sleep(patienceMs, undefined, { signal: timer.signal }).then((): never => {
        throw storeProblem(new Error('no answer in time'));
      }),
    ]);
  } finally {
    timer.abort();
    work.catch(() => {});
  }
}
