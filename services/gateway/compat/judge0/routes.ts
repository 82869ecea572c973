import type { Problem } from '../../../../shared/problems.ts';
import type { GatewayContext } from '../../http/context.ts';
import type { App } from '../../http/mount.ts';
import { NotUtf8 } from './present.ts';

export const base = '/judge0';

/** An error in Judge0's form: `{error}`, or what else the body is. */
export class Judge0Error extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: 400 | 403 | 404 | 422, body: string | Record<string, unknown> | unknown[]) {
    super(typeof body === 'string' ? body : 'The submission is not valid.');
    this.status = status;
    this.body = typeof body === 'string' ? { error: body } : body;
  }
}

export const notUtf8 = (what: string) =>
  `some attributes for ${what} cannot be converted to UTF-8, use base64_encoded=true query parameter`;

/** Adds a route below `/judge0`, whose handler may throw a Judge0Error. */
export function route(
  app: App,
  method: 'get' | 'post' | 'delete',
  path: string,
  handler: (c: GatewayContext) => Response | Promise<Response>,
): void {
  const whole = `${base}${path}`;
  app.on(method.toUpperCase(), whole, async (c) => {
    c.set('route', whole.replaceAll(/:(\w+)/g, '{$1}'));
    try {
      return await handler(c);
    } catch (error) {
      if (error instanceof Judge0Error) return c.json(error.body, error.status as 400);
      if (error instanceof NotUtf8) return c.json({ error: notUtf8('this submission') }, 400);
      throw error;
    }
  });
}

/** Any error of ours. A queue that is full is Judge0's own case; its clients try again then. */
export function answerProblem(problem: Problem, c: GatewayContext): Response {
  const headers =
    problem.retryAfterSeconds === undefined ? {} : { 'retry-after': String(problem.retryAfterSeconds) };
  if (problem.code === 'overloaded' || problem.code === 'quota_exceeded')
    return c.json({ error: 'queue is full' }, 503, headers);
  return c.json({ error: problem.message }, problem.status as 400, headers);
}
