import { createHash } from 'node:crypto';
import type { Keys } from '../../../shared/keys.ts';
import { Problem } from '../../../shared/problems.ts';
import type { RedisConnection } from '../../../shared/redis.ts';
import { digestOf, type Sealer } from '../../../shared/secrets.ts';
import { scriptsIn, text } from '../../../shared/stores/scripts.ts';

const begin = scriptsIn(import.meta.url).loadScript('idempotency-begin');

/** How long a key is remembered after its first request (API.md). */
const keptMs = 24 * 3_600_000;
/** A request waits for 60 s at most: one without an answer after this time was lost on its way. */
const leaseMs = 75_000;
/** A larger answer is not stored; it is made again from the stored runs. */
const maxAnswerBytes = 256 * 1024;

export type StoredAnswer = { status: number; body: string | undefined; location: string | undefined };

export type IdempotencyStore = ReturnType<typeof createIdempotencyStore>;

/** What an Idempotency-Key stands for, per tenant. The runs it created are fields of the same record (create.lua). */
export function createIdempotencyStore(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  /** An answer contains the request and maybe output, which are sealed: so it is sealed as well. */
  const answerContext = (record: string) => `answer:${record}`;

  /** `undefined` for one that cannot be opened: it is made again from the stored runs. */
  function openAnswer(record: string, sealed: Buffer): string | undefined {
    if (sealed.length === 0) return undefined;
    try {
      return sealer.open(sealed, answerContext(record));
    } catch {
      return undefined;
    }
  }

  return {
    /** `undefined`: the key is new, and the caller carries out the request. Throws 409 or 422. */
    async begin(tenant: string, key: string, request: string): Promise<StoredAnswer | undefined> {
      const fingerprint = createHash('sha256').update(request).digest('hex');
      const record = keys.idempotency(tenant, digestOf(key));
      const reply = (await begin(redis, [record], [fingerprint, Date.now(), leaseMs, keptMs])) as unknown[];
      const verdict = text(reply[0]);
      if (verdict === 'begun') return undefined;
      if (verdict === 'mismatch')
        throw new Problem('idempotency_mismatch', 'Send the same body, or take a new Idempotency-Key.');
      if (verdict === 'in_progress')
        throw new Problem(
          'idempotency_in_progress',
          'Wait for the first request to be answered, then ask again.',
          {
            retryAfterSeconds: 1,
          },
        );
      // An earlier version stored it in plain text.
      const body = text(reply[2]) || openAnswer(record, reply[4] as Buffer);
      const location = text(reply[3]);
      return { status: Number(text(reply[1])), body: body || undefined, location: location || undefined };
    },

    /** Stores the first answer. */
    async complete(
      tenant: string,
      key: string,
      answer: { status: number; body: string | undefined; location?: string },
    ) {
      const record = keys.idempotency(tenant, digestOf(key));
      const { body = '' } = answer;
      const kept = body !== '' && Buffer.byteLength(body) <= maxAnswerBytes;
      await redis.hset(record, {
        status: answer.status,
        location: answer.location ?? '',
        ...(kept && { sealed: sealer.seal(body, answerContext(record)) }),
      });
    },

    /** Lets the key be used again: nothing was created under it. */
    async release(tenant: string, key: string): Promise<void> {
      await redis.del(keys.idempotency(tenant, digestOf(key)));
    },
  };
}
