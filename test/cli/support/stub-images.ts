import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Image } from '../../../shared/contracts/worker.ts';
import { answer, problem } from './stub-answers.ts';

export type PullScript = { events: { type: 'pull' | 'done'; data: object }[]; dropFirst?: boolean };

export function addImageRoutes(
  app: Hono<{ Bindings: HttpBindings }>,
  stub: { images: Image[]; pulls: PullScript },
): void {
  app.get('/v1/images', (c) => c.json({ data: stub.images, nextCursor: null }));
  app.post('/v1/images/pull', (c) => {
    const drop = stub.pulls.dropFirst === true;
    stub.pulls.dropFirst = false;
    const events = drop ? stub.pulls.events.slice(0, 1) : stub.pulls.events;
    const text = events
      .map(({ type, data }) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`)
      .join('');
    return c.body(text, 200, { 'content-type': 'text/event-stream' });
  });
  app.delete('/v1/images/:reference', (c) => {
    const reference = c.req.param('reference');
    if (!stub.images.some((image) => image.reference === reference))
      return answer(404, problem(404, 'not_found', 'No worker has this image', 'See the list.'));
    return c.json({ data: [{ worker: 'wrk_1', removed: true, error: null }] });
  });
}
