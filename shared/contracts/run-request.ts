import { z } from 'zod';
import { type RunPolicy, type RunRequest, runFields } from './run-fields.ts';
import { applyDependentDefaults, refuseContradictions } from './run-rules.ts';

export { metadata, type RunPolicy, type RunRequest } from './run-fields.ts';

/** `POST /v1/runs`. The gateway documents it as two schemas, of the same fields. */
export function runRequestSchema(policy: RunPolicy) {
  const request = runFields(policy).superRefine((request, context) => {
    const refuse = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message, input: undefined });
    refuseContradictions(request, policy, refuse);
  });
  return z.preprocess((value) => applyDependentDefaults(value, policy.limits), request);
}

const mask = '***';

/** The request as answers show it: values that may be secret are masked. */
export function maskRequest(request: RunRequest): RunRequest {
  return {
    ...request,
    env: Object.fromEntries(Object.keys(request.env).map((name) => [name, mask])),
    ...(request.webhook && {
      webhook: { ...request.webhook, ...(request.webhook.secret !== undefined && { secret: mask }) },
    }),
  };
}
