import { createHash } from 'node:crypto';
import type { Keys } from '../keys.ts';
import { Problem } from '../problems.ts';
import type { RedisConnection } from '../redis.ts';
import { digestOf } from '../secrets.ts';
import { loadScript, text } from './scripts.ts';

const begin = loadScript('idempotency-begin');

/** Kept so long after the first request (API.md). */
const keptMs = 24 * 3_600_000;
/** The longest wait is 60 s: after that a request without an answer has died on its way. */
const leaseMs = 75_000;
/** A larger first answer is not kept word for word: it is made again from the stored runs. */
const mostAnswerBytes = 256 * 1024;

export type StoredAnswer = { status: number; body: string | undefined; location: string | undefined };

/** What an Idempotency-Key stands for, per tenant. The runs it created are fields of the same record (create.lua). */
export function createIdempotencyStore(redis: RedisConnection, keys: Keys) {
  return {
    /** `undefined`: this request is the one that goes on. Throws 409 or 422. */
    async begin(tenant: string, key: string, request: string): Promise<StoredAnswer | undefined> {
      const fingerprint = createHash('sha256').update(request).digest('hex');
      const reply = (await begin(
        redis,
        [keys.idempotency(tenant, digestOf(key))],
        [fingerprint, Date.now(), leaseMs, keptMs],
      )) as unknown[];
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
      const body = text(reply[2]);
      const location = text(reply[3]);
      return { status: Number(text(reply[1])), body: body || undefined, location: location || undefined };
    },

    /** Keeps the first answer. */
    async complete(
      tenant: string,
      key: string,
      answer: { status: number; body: string | undefined; location?: string },
    ) {
      const small = Buffer.byteLength(answer.body ?? '') <= mostAnswerBytes;
      await redis.hset(keys.idempotency(tenant, digestOf(key)), {
        status: answer.status,
        answer: small ? (answer.body ?? '') : '',
        location: answer.location ?? '',
      });
    },

    /** Lets the key be used again: nothing was created under it. */
    async release(tenant: string, key: string): Promise<void> {
      await redis.del(keys.idempotency(tenant, digestOf(key)));
    },
  };
}
