import type { RunRequest } from '../../shared/contracts/run-request.ts';
import { newWebhookSecret } from '../../shared/webhooks/signature.ts';

/** Every delivery is signed: a webhook without a secret gets a new one. */
export function withWebhookSecret<T extends Pick<RunRequest, 'webhook'>>(
  request: T,
): { request: T; madeSecret?: string } {
  if (request.webhook === undefined || request.webhook.secret !== undefined) return { request };
  const madeSecret = newWebhookSecret();
  return { request: { ...request, webhook: { ...request.webhook, secret: madeSecret } }, madeSecret };
}
