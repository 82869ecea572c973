import type { Run } from '../../../shared/contracts/run.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { EnvironmentSource } from '../parse/env.ts';
import type { RunOptions } from './options.ts';

export type RunWebhook = { url: string; secret?: string };

/** Whom the run calls when it has ended. The secret is better in the environment: not in the shell's history. */
export function webhookOf(
  { webhook, webhookSecret }: Pick<RunOptions, 'webhook' | 'webhookSecret'>,
  env: EnvironmentSource,
): RunWebhook | undefined {
  if (webhook === undefined) {
    if (webhookSecret !== undefined)
      throw new UsageError('--webhook-secret has nothing to sign without --webhook.');
    return undefined;
  }
  const secret = webhookSecret ?? (env.RUNLET_WEBHOOK_SECRET || undefined);
  return { url: webhook, ...(secret !== undefined && { secret }) };
}

/** Says the secret that the server made because none was given: only the answer to the request holds it. */
export async function tellMadeSecret(context: Context, run: Run, webhook: RunWebhook): Promise<void> {
  if (webhook.secret !== undefined) return;
  const made = (run.request.webhook as Partial<RunWebhook> | undefined)?.secret;
  const lost = made === undefined || !made.startsWith('whsec_');
  // No note, which --quiet would swallow: nobody else will ever say it.
  await context.err.line(
    lost
      ? 'runlet: The webhook’s secret was lost with a connection, and is not shown again: give one in RUNLET_WEBHOOK_SECRET if the receiver verifies.'
      : `runlet: The webhook is signed with ${made}: give it to the receiver, it is not shown again.`,
  );
}
