import type { Protocol } from '../protocol.ts';
import { keyIn } from './authority.ts';
import { mountBatch } from './batch.ts';
import { mountCreate } from './create.ts';
import { mountInfo } from './info.ts';
import { answerProblem } from './routes.ts';
import { mountStored } from './stored.ts';

/** Judge0 CE 1.13.1, below `/judge0`: a submission is a run, and its token leads to it. */
export const judge0: Protocol = {
  name: 'judge0',
  keyIn,
  answerProblem,
  mount(app, gateway) {
    mountInfo(app, gateway);
    mountCreate(app, gateway);
    // Before the routes with a token in the place of `batch`.
    mountBatch(app, gateway);
    mountStored(app, gateway);
  },
};
