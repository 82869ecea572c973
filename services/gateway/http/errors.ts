import { Problem } from '../../../shared/problems.ts';
import { problemAnswer } from './answers.ts';
import type { GatewayContext } from './context.ts';
import { isStoreError, storeProblem } from './store-errors.ts';

/** Answers every error of a handler. An unexpected error becomes a 500 without its details: those go to the log. */
export function answerError(error: Error, c: GatewayContext): Response {
  const problem = toProblem(error, c.var.requestId);
  if (problem.status >= 500) c.set('fault', error);
  switch (problem.code) {
    case 'unauthorized':
      // RFC 9110 §11.6.1
      return problemAnswer(problem, { 'www-authenticate': 'Bearer realm="runlet"' });
    case 'upgrade_required':
      // RFC 9110 §15.5.22
      return problemAnswer(problem, { upgrade: 'websocket', connection: 'upgrade' });
    case 'payload_too_large':
      // The rest of the body is not read: the connection cannot be used again.
      return problemAnswer(problem, { connection: 'close' });
    default:
      return problemAnswer(problem);
  }
}

export function toProblem(error: unknown, requestId: string): Problem {
  if (error instanceof Problem) return error;
  if (isStoreError(error)) return storeProblem(error);
  return new Problem('internal', `Tell the operator the request id ${requestId}: the log has the cause.`, {
    cause: error,
  });
}

export const unknownRoute = (c: GatewayContext) =>
  new Problem('not_found', `There is no ${c.req.path.slice(0, 256)} here: see /docs for all routes.`, {
    title: 'There is no such route',
  });

export const answerUnknownRoute = (c: GatewayContext): Response => problemAnswer(unknownRoute(c));

export const wrongMethod = (c: GatewayContext, allowed: string[]) =>
  new Problem('method_not_allowed', `${c.req.method} is not possible here; use ${allowed.join(', ')}.`);

/** RFC 9110 §15.5.6: a 405 names what is allowed. */
export const answerWrongMethod = (c: GatewayContext, allowed: string[]): Response =>
  problemAnswer(wrongMethod(c, allowed), { allow: allowed.join(', ') });
