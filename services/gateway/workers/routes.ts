import { worker } from '../../../shared/contracts/worker.ts';
import { isId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { ok } from '../http/answers.ts';
import { bearer, idParam, jsonResponse, page, problems } from '../http/describe.ts';
import { type App, mount } from '../http/mount.ts';
import { pageQuery, paginate } from '../http/query.ts';

export type WorkerParts = Pick<Gateway, 'env' | 'workers'>;

const tags = ['Workers'];

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
        description: 'It ends what it has and takes nothing new, until it is started again. Admin only.',
        params: idParam('id', 'The worker’s id.', 'wrk_01931f0a7c5e7c4f8a3b2c1d0e9f8a7b'),
        responses: { 202: jsonResponse('The worker as it is now.', worker), ...problems(400, 403, 404) },
      },
    },
    async (c) => {
      const id = c.req.param('id') ?? '';
      const found = isId('wrk', id) ? (await gateway.workers.list()).find((one) => one.id === id) : undefined;
      if (found === undefined)
        throw new Problem('not_found', 'There is no such worker alive: see GET /v1/workers.');
      await gateway.workers.send(id, { kind: 'drain' });
      return c.json(found, 202);
    },
  );
}
