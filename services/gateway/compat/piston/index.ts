import type { Protocol } from '../protocol.ts';
import { mountConnect } from './connect.ts';
import { mountExecute } from './execute.ts';
import { mountPackages } from './packages.ts';

/** Piston's API v2, below `/piston/api/v2`. Its clients are given the server `…/piston`. */
export const piston: Protocol = {
  name: 'piston',
  answerProblem: (problem, c) => {
    if (problem.retryAfterSeconds !== undefined) c.header('retry-after', String(problem.retryAfterSeconds));
    // The rest of the body is not read: the connection cannot be used again.
    if (problem.code === 'payload_too_large') c.header('connection', 'close');
    return c.json({ message: problem.message }, problem.status as 400);
  },
  mount(app, gateway) {
    mountPackages(app, gateway);
    mountExecute(app, gateway);
    mountConnect(app, gateway);
  },
};
