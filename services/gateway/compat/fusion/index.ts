import type { Problem } from '../../../../shared/problems.ts';
import { json } from '../../http/answers.ts';
import type { Protocol } from '../protocol.ts';
import { ruleFault } from './faults.ts';
import { mountRunCode } from './run-code.ts';

const ping = '/fusion/v1/ping';
const jupyter = '/fusion/run_jupyter';

/** SandboxFusion's API, below `/fusion`. Its clients are given that as the endpoint, verl `…/fusion/run_code`. */
export const fusion: Protocol = {
  name: 'fusion',
  answerProblem,
  mount(app, gateway) {
    mountRunCode(app, gateway);
    app.get(ping, (c) => {
      c.set('route', ping);
      return c.json('pong');
    });
    app.post(jupyter, (c) => {
      c.set('route', jupyter);
      return c.json(
        { detail: 'Notebook cells cannot be run here: send the code as one program to /run_code.' },
        501,
      );
    });
  },
};

/** `{detail}`, as FastAPI has it: a list for a body that is not valid, otherwise a sentence. */
function answerProblem(problem: Problem): Response {
  const headers: Record<string, string> = {
    ...(problem.retryAfterSeconds !== undefined && { 'retry-after': String(problem.retryAfterSeconds) }),
    // RFC 9110 §11.6.1
    ...(problem.code === 'unauthorized' && { 'www-authenticate': 'Bearer realm="runlet"' }),
    // The rest of the body is not read: the connection cannot be used again.
    ...(problem.code === 'payload_too_large' && { connection: 'close' }),
  };
  return json(statusOf(problem), JSON.stringify({ detail: detailOf(problem) }), headers);
}

/** verl sends a request again only after a 504: so whatever passes by itself, as a full queue does, is one. */
function statusOf({ code, status }: Problem): number {
  if (code === 'invalid_json' || code === 'validation_failed') return 422;
  return status === 429 || status === 503 ? 504 : status;
}

function detailOf(problem: Problem): unknown {
  switch (problem.code) {
    case 'invalid_json':
      return [
        {
          type: 'json_invalid',
          loc: ['body'],
          msg: 'JSON decode error',
          input: {},
          ctx: { error: problem.message },
        },
      ];
    case 'validation_failed':
      return (problem.issues ?? []).map(({ path, message }) => ruleFault([path], message, null));
    default:
      return problem.message;
  }
}
