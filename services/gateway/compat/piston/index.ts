import type { Protocol } from '../protocol.ts';
import { mountRuntimes } from './runtimes.ts';

/** Piston's API v2, below `/piston/api/v2`. Its clients are given the server `…/piston`. */
export const piston: Protocol = {
  name: 'piston',
  answerProblem: (problem, c) => c.json({ message: problem.message }, problem.status as 400),
  mount(app) {
    mountRuntimes(app);
  },
};
