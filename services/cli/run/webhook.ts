import type { Run } from '../../../shared/contracts/run.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { EnvironmentSource } from '../parse/env.ts';
import type { RunOptions } from './options.ts';

export type RunWebhook = { url: string; secret?: string };

/**
 * The webhook that is called when the run has ended. The secret is better given in the environment, because the command
 * line stays in the shell's history.
 */
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

/** Prints the secret that the server made because none was given. Only the answer to this request contains it. */
export async function tellMadeSecret(context: Context, { request }: Pick<Run, 'request'>): Promise<void> {
  const made = (request.webhook as Partial<RunWebhook> | undefined)?.secret;
  const lost = made === undefined || !made.startsWith('whsec_');
  // Not printed as a note, because --quiet would hide it and it cannot be shown again.
  await context.err.line(
    lost
      ? 'runlet: The webhook’s secret was lost with a connection, and is not shown again: give one in RUNLET_WEBHOOK_SECRET if the receiver verifies.'
      : `runlet: The webhook is signed with ${made}: give it to the receiver, it is not shown again.`,
  );
}
