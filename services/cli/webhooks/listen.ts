import { isWebhookSecret } from '../../../shared/contracts/webhook.ts';
import { newWebhookSecret } from '../../../shared/webhooks/signature.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import { followStream, openStream, parseData } from '../http/follow-stream.ts';
import { withRetry } from '../http/with-retry.ts';
import { formatMs } from '../output/format.ts';
import { jsonText, printable } from '../output/harmless.ts';
import { Interrupts } from '../run/interrupts.ts';
import { eventLine, type StreamedEvent } from './event-line.ts';
import { checkForwardUrl, type Forwarded, forward } from './forward.ts';

export type ListenOptions = { forward?: string; event?: string[]; secret?: string };

type Receiver = { url: string; secret: string };

/** Shows events and forwards them, until Ctrl-C. */
export async function listen(context: Context, options: ListenOptions): Promise<number> {
  const { api, note, out } = context;
  const receiver = await openReceiver(context, options);
  const query =
    options.event === undefined ? '' : `?${new URLSearchParams({ events: options.event.join() })}`;
  const path = `/v1/events${query}`;
  const interrupts = new Interrupts(() => process.exit(0));
  const { signal } = interrupts;
  try {
    const first = await withRetry(() => openStream(api, path, undefined, signal), {
      note,
      interrupt: signal,
    });
    note('Listening for events; Ctrl-C ends it.');
    for await (const message of followStream(api, path, { note, signal, first })) {
      await show(context, parseData(message) as StreamedEvent, receiver, signal);
      if (out.closed) break;
    }
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    throw error;
  } finally {
    interrupts.stop();
  }
}

async function openReceiver(context: Context, options: ListenOptions): Promise<Receiver | undefined> {
  if (options.forward === undefined) {
    if (options.secret !== undefined) throw new UsageError('--secret has nothing to sign without --forward.');
    return undefined;
  }
  const url = checkForwardUrl(options.forward);
  const given = options.secret ?? (process.env.RUNLET_WEBHOOK_SECRET || undefined);
  if (given !== undefined && !isWebhookSecret(given))
    throw new UsageError(
      'The secret must be whsec_ and 24 to 64 bytes in base64: leave it out and one is made, or take `echo "whsec_$(openssl rand -base64 32)"`.',
    );
  const secret = given ?? newWebhookSecret();
  // Not printed as a note, because --quiet would hide it and it cannot be shown again.
  if (given === undefined)
    await context.err.line(`runlet: Signing with ${secret}: give it to your receiver.`);
  return { url, secret };
}

async function show(
  context: Context,
  event: StreamedEvent,
  receiver: Receiver | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { out, colors, json } = context;
  if (!json) await out.line(eventLine(event));
  const forwarded = receiver && (await forward(receiver.url, receiver.secret, event, { signal }));
  if (json) return out.line(jsonText({ ...event, ...(forwarded && { forwarded }) }));
  if (forwarded) {
    const color = forwarded.error === null ? colors.green : colors.red;
    await out.line(`  → ${color(printable(forwardedText(forwarded)))}`);
  }
}

function forwardedText({ statusCode, durationMs, error }: Forwarded): string {
  const time = formatMs(durationMs);
  if (statusCode === null) return `failed after ${time}: ${error}`;
  return `${statusCode} in ${time}${error === null ? '' : `: ${error}`}`;
}
