import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import { digestOf } from '../../../shared/secrets.ts';
import type { IdempotencyStore } from '../stores/idempotency.ts';
import { json } from './answers.ts';
import type { GatewayContext } from './context.ts';
import { idempotencyKey } from './idempotency-key.ts';

export type OnceParts = { idempotency: IdempotencyStore; log: Log };

export type Answer = {
  status: number;
  body: string;
  /** The path of what was created, for the Location header. */
  location?: string;
  headers?: Record<string, string>;
  /** It is not kept: a replay is made again from what was stored, without the secret. */
  holdsSecret?: boolean;
};

type Key = { tenant: string; key: string; fingerprint: string };

/** The Idempotency-Key of a request, with what a repeated request must have the same. `undefined`: it has none. */
export function onceKey(c: GatewayContext, path: string, text: string): Key | undefined {
  const key = idempotencyKey(c.req.header('idempotency-key'));
  return key === undefined
    ? undefined
    : { tenant: c.var.identity.tenant, key, fingerprint: `${path}\n${text}` };
}

/**
 * Runs `create` once for an Idempotency-Key and replays its answer (API.md). A refusal (429, 503) leaves the key
 * free, since nothing was created under it.
 *
 * @param again makes the answer again from what was stored, where it was too large to be kept word for word
 */
export async function once(
  parts: OnceParts,
  key: Key | undefined,
  create: (idempotencyDigest: string | undefined) => Promise<Answer>,
  again: (location: string | undefined, digest: string) => Promise<string>,
): Promise<Response> {
  if (key === undefined) return respond(await create(undefined));
  const digest = digestOf(key.key);
  const stored = await parts.idempotency.begin(key.tenant, key.key, key.fingerprint);
  if (stored !== undefined) {
    const body = stored.body ?? (await again(stored.location, digest));
    return respond({
      status: stored.status,
      body,
      ...(stored.location !== undefined && { location: stored.location }),
      headers: { 'idempotent-replayed': 'true' },
    });
  }
  let answer: Answer;
  try {
    answer = await create(digest);
  } catch (error) {
    // Any other error may have come after the run was stored: the key stays taken, and a retry finds the run.
    if (error instanceof Problem) await parts.idempotency.release(key.tenant, key.key).catch(() => {});
    throw error;
  }
  try {
    const { status, body, location } = answer;
    await parts.idempotency.complete(key.tenant, key.key, {
      status,
      body: answer.holdsSecret === true ? undefined : body,
      ...(location !== undefined && { location }),
    });
  } catch (error) {
    // The runs are stored with the key, so a retry finds them; this answer is as good as it was.
    parts.log.warn({ reason: (error as Error).message }, 'the answer of an Idempotency-Key was not kept');
  }
  return respond(answer);
}

function respond({ status, body, location, headers }: Answer): Response {
  return json(status, body, { ...(location !== undefined && { location }), ...headers });
}
