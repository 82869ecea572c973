import { type Worker, worker } from '../../../shared/contracts/worker.ts';
import { isId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { ok } from '../http/answers.ts';
import { bearer, idParam, jsonResponse, page, problems } from '../http/describe.ts';
import { type App, mount } from '../http/mount.ts';
import { pageQuery, paginate } from '../http/query.ts';
import { askWorker, type WorkerOperationParts } from '../worker-operation.ts';

export type WorkerParts = Pick<Gateway, 'env' | 'workers'> & WorkerOperationParts;

const tags = ['Workers'];
const params = idParam('id', 'The worker’s id.', 'wrk_01931f0a7c5e7c4f8a3b2c1d0e9f8a7b');
/** How long a worker may take to say that it takes runs again. */
const undrainMs = 10_000;

export function mountWorkers(app: App, gateway: WorkerParts): void {
  const options = { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES };

  mount(
    app,
    options,
    {
      method: 'get',
      path: '/v1/workers',
      admin: true,
      query: pageQuery,
      document: {
        tags,
        security: bearer,
        operationId: 'listWorkers',
        summary: 'List the workers that live',
        description: 'Admin only.',
        responses: { 200: jsonResponse('One page.', page(worker, 'WorkerPage')), ...problems(400, 403) },
      },
    },
    async (_, { query }) => ok(paginate(await gateway.workers.list(), ({ id }) => id, query)),
  );

  mount(
    app,
    options,
    {
      method: 'post',
      path: '/v1/workers/{id}/drain',
      admin: true,
      document: {
        tags,
        security: bearer,
        operationId: 'drainWorker',
        summary: 'Let a worker take no more runs',
        description:
          'It ends what it has and takes nothing new, until it is told to go on (`DELETE`) or started again. Admin only.',
        params,
        responses: { 202: jsonResponse('The worker as it is now.', worker), ...problems(400, 403, 404) },
      },
    },
    async (c) => {
      const found = await liveWorker(gateway, c.req.param('id') ?? '');
      await gateway.workers.send(found.id, { kind: 'drain' });
      return c.json(found, 202);
    },
  );

  mount(
    app,
    options,
    {
      method: 'delete',
      path: '/v1/workers/{id}/drain',
      admin: true,
      document: {
        tags,
        security: bearer,
        operationId: 'undrainWorker',
        summary: 'Let a drained worker take runs again',
        description:
          'Answers once it does. For a worker that was not drained nothing changes. One that is shutting down stays so: 409. Admin only.',
        params,
        responses: {
          200: jsonResponse('The worker as it is now.', worker),
          ...problems(400, 403, 404, 409, 504),
        },
      },
    },
    async (c) => {
      const { id } = await liveWorker(gateway, c.req.param('id') ?? '');
      const command = (operation: string) => ({ kind: 'undrain', operation }) as const;
      await askWorker(gateway, id, command, undrainMs, c.req.raw.signal);
      return ok(await liveWorker(gateway, id));
    },
  );
}

async function liveWorker({ workers }: Pick<Gateway, 'workers'>, id: string): Promise<Worker> {
  const found = isId('wrk', id) ? (await workers.list()).find((one) => one.id === id) : undefined;
  if (found === undefined)
    throw new Problem('not_found', 'There is no such worker alive: see GET /v1/workers.');
  return found;
}
