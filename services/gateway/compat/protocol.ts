import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import type { GatewayContext, GatewayEnv } from '../http/context.ts';
import type { RunParts } from '../runs/routes.ts';

export type CompatParts = RunParts & Pick<Gateway, 'env' | 'keyring' | 'log' | 'policy'>;

/**
 * A protocol of another system, which its clients speak to Runlet unmodified: a thin mapping over runs, below `/{name}`. Its routes are
 * not in our OpenAPI document, and its errors are its own, not problems of RFC 9457.
 */
export type Protocol = {
  /** Also in `RUNLET_COMPAT`, and in `/k/{key}/{name}/…`. */
  name: string;
  /** The API key in a field of the protocol's own; undefined: it came as ours do (Authorization, or in the path). */
  keyIn?: (c: GatewayContext) => string | undefined;
  /** Any error of ours, as the protocol's clients expect errors. */
  answerProblem: (problem: Problem, c: GatewayContext) => Response;
  /** Adds the routes, each with its whole path. */
  mount: (app: OpenAPIHono<GatewayEnv>, gateway: CompatParts) => void;
};
