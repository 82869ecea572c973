import { z } from 'zod';
import { problemOrNull } from '../../../shared/contracts/problem.ts';
import { image } from '../../../shared/contracts/worker.ts';
import { isImageName } from '../../../shared/images.ts';
import { badField, Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { ok, problemBodyAnswer } from '../http/answers.ts';
import { bearer, idParam, jsonResponse, page, problems } from '../http/describe.ts';
import { type App, mount } from '../http/mount.ts';
import { pageQuery, paginate } from '../http/query.ts';
import { asksForEvents, sseHeaders } from '../http/sse.ts';
import { type RefuseRegistryParts, refuseRegistry } from '../refuse-registry.ts';
import { allImages, type ImageListParts, keyOfImage } from './list.ts';
import { commonProblem, type Done, type OperationParts, startOperation } from './operation.ts';
import { type PullParts, pullBody, pullOutcome, pullResult, pullStream, pullStreamEvent } from './pull.ts';

export type ImageParts = Pick<Gateway, 'env' | 'policy'> &
  ImageListParts &
  OperationParts &
  PullParts &
  RefuseRegistryParts;

const tags = ['Images'];
const security = bearer;

const removal = z
  .object({
    data: z.array(z.object({ worker: z.string(), removed: z.boolean(), error: problemOrNull })),
  })
  .meta({ id: 'ImageRemoval' });

/** Codes that only say that the image is not there. */
const absent = new Set(['not_found', 'image_not_found', 'image_not_present']);

export function mountImages(app: App, gateway: ImageParts): void {
  const options = { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES };

  mount(
    app,
    options,
    {
      method: 'get',
      path: '/v1/images',
      query: pageQuery,
      document: {
        tags,
        security,
        operationId: 'listImages',
        summary: 'List the images that workers have',
        description: 'One entry for each name and content, with the workers that have it.',
        responses: { 200: jsonResponse('One page.', page(image, 'ImagePage')), ...problems(400) },
      },
    },
    async (_, { query }) => ok(paginate(await allImages(gateway), keyOfImage, query)),
  );

  mount(
    app,
    options,
    {
      method: 'post',
      path: '/v1/images/pull',
      body: pullBody(gateway.policy),
      document: {
        tags,
        security,
        operationId: 'pullImage',
        summary: 'Pull an image on every worker',
        description:
          'Answers when each live worker has it or has failed, within 15 minutes. With `Accept: text/event-stream`: events `pull` (schema PullProgress) and, last, `done` (PullDone). Where every worker failed, the JSON answer is their problem.',
        example: { image: 'busybox:latest' },
        responses: {
          200: {
            ...jsonResponse(
              'What became of it on each worker. As events, the schema is that of the data of one event.',
              pullResult,
            ),
            content: {
              'application/json': { schema: pullResult },
              'text/event-stream': { schema: pullStreamEvent },
            },
          },
          ...problems(400, 403, 404, 413, 415, 422, 502, 504),
        },
      },
    },
    async (c, { body }) => {
      const { tenant } = c.var.identity;
      await refuseRegistry(gateway, body);
      const events = await startOperation(
        gateway,
        (operation) => ({ kind: 'pull', operation, tenant, reference: body.image }),
        c.req.raw.signal,
      );
      if (asksForEvents(c))
        return new Response(pullStream(gateway, body.image, events), { headers: sseHeaders });
      const result = await pullOutcome(body.image, events);
      const problem = commonProblem(result.workers);
      return problem === undefined ? ok(result) : problemBodyAnswer(problem);
    },
  );

  mount(
    app,
    options,
    {
      method: 'delete',
      path: '/v1/images/{ref}',
      rest: 'ref',
      admin: true,
      document: {
        tags,
        security,
        operationId: 'removeImage',
        summary: 'Remove an image from every worker',
        description: 'Admin only.',
        params: idParam('ref', 'The reference, or the image’s id, URL-encoded.', 'busybox%3Alatest'),
        responses: {
          200: jsonResponse('What became of it on each worker.', removal),
          ...problems(400, 403, 404, 409, 502, 504),
        },
      },
    },
    async (c) => {
      const reference = c.req.param('ref') ?? '';
      if (!isImageName(reference)) throw badField('ref', 'is not a valid image reference');
      const done: Done[] = [];
      const { tenant } = c.var.identity;
      const events = await startOperation(
        gateway,
        (operation) => ({ kind: 'remove-image', operation, tenant, reference }),
        c.req.raw.signal,
      );
      for await (const event of events) if (event.kind === 'done') done.push(event);
      const data = done.map(({ worker, removed, error }) => ({ worker, removed: removed ?? false, error }));
      if (data.some(({ removed }) => removed)) return ok({ data });
      if (data.every(({ error }) => error === null || absent.has(error.code)))
        throw new Problem('not_found', `No worker has ${reference}: see GET /v1/images.`);
      const problem = commonProblem(data);
      return problem === undefined ? ok({ data }) : problemBodyAnswer(problem);
    },
  );
}
