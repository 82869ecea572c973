import type { Webhook } from '../../../shared/contracts/webhook.ts';
import type { Context } from '../context.ts';
import { printFacts } from '../output/facts.ts';

/** An endpoint. Only the answer that creates it contains the secret. */
export type Endpoint = Webhook & { secret?: string };

/** `enabled`, or the reason why it is not: `disabled (gone)`. */
export function endpointState({ enabled, disabledReason }: Webhook): string {
  if (enabled) return 'enabled';
  return disabledReason === null ? 'disabled' : `disabled (${disabledReason})`;
}

export async function printEndpoint(context: Context, endpoint: Endpoint): Promise<void> {
  if (context.json) await context.printJson(endpoint);
  else
    await printFacts(context, [
      ['id', endpoint.id],
      ['url', endpoint.url],
      ['events', endpoint.events.join(', ')],
      ['status', endpointState(endpoint)],
      ['secret', endpoint.secret],
    ]);
  if (endpoint.secret !== undefined)
    context.note('The secret is shown this once: give it to the receiver, to verify deliveries with.');
  if (endpoint.secretExpiresAt !== null)
    context.note(`Until ${endpoint.secretExpiresAt} deliveries are signed with the old secret, too.`);
}

/** The help text of `--event`. */
export const eventPatternsHelp =
  'an event’s name, a family like run.*, or * for all (repeatable; default run.finished)';
