import { createHash } from 'node:crypto';
import type { Keys } from '../keys.ts';
import { Problem } from '../problems.ts';
import type { RedisConnection } from '../redis.ts';
import { digestOf, type Sealer } from '../secrets.ts';
import { loadScript, text } from './scripts.ts';

const scripts = {
  begin: loadScript('idempotency-index', 'idempotency-begin'),
  complete: loadScript('idempotency-index', 'idempotency-complete'),
};

/** Kept so long after the first request (API.md). */
const keptMs = 24 * 3_600_000;
/** The longest wait is 60 s: after that a request without an answer has died on its way. */
const leaseMs = 75_000;
/** A larger first answer is not kept word for word: it is made again from the stored runs. */
const maxAnswerBytes = 256 * 1024;

/** As many as ended runs that are kept by default, so that what stands for a run is not forgotten long before it. */
const maxKeys = 100_000;

export type IdempotencyBounds = {
  /** Keys of a tenant: of more the oldest is forgotten. */
  keys?: number;
  /** Its answers that are kept word for word: of more the oldest are made again from what was stored. */
  answersBytes: () => number;
};

export type StoredAnswer = { status: number; body: string | undefined; location: string | undefined };

/** What an Idempotency-Key stands for, per tenant. The runs it created are fields of the same record (create.lua). */
export function createIdempotencyStore(
  redis: RedisConnection,
  keys: Keys,
  sealer: Sealer,
  bounds: IdempotencyBounds,
) {
  const keysOf = (tenant: string, digest: string) => [
    keys.idempotency(tenant, digest),
    keys.idempotencyIndex(tenant),
    keys.idempotencyAnswers(tenant),
    keys.idempotencyBytes(tenant),
  ];

  /** It has the request, and perhaps output: it lies no more open than these. */
  const answerContext = (record: string) => `answer:${record}`;

  /** What does not open is made again from the stored runs. */
  function openAnswer(record: string, sealed: Buffer): string | undefined {
    if (sealed.length === 0) return undefined;
    try {
      return sealer.open(sealed, answerContext(record));
    } catch {
      return undefined;
    }
  }

  return {
    /** `undefined`: this request is the one that goes on. Throws 409 or 422. */
    async begin(tenant: string, key: string, request: string): Promise<StoredAnswer | undefined> {
      const fingerprint = createHash('sha256').update(request).digest('hex');
      const digest = digestOf(key);
      const record = keys.idempotency(tenant, digest);
      const reply = (await scripts.begin(redis, keysOf(tenant, digest), [
        ...[fingerprint, Date.now(), leaseMs, keptMs],
        ...[digest, bounds.keys ?? maxKeys, keys.idempotency(tenant, '')],
      ])) as unknown[];
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
      if (verdict === 'full')
        throw new Problem(
          'quota_exceeded',
          'Too many requests with an Idempotency-Key are in progress: wait for some to be answered.',
          { retryAfterSeconds: 1 },
        );
      // An earlier version left it in plain.
      const body = text(reply[2]) || openAnswer(record, reply[4] as Buffer);
      const location = text(reply[3]);
      return { status: Number(text(reply[1])), body: body || undefined, location: location || undefined };
    },

    /** Keeps the first answer. */
    async complete(
      tenant: string,
      key: string,
      answer: { status: number; body: string | undefined; location?: string },
    ) {
      const digest = digestOf(key);
      const { body = '' } = answer;
      const kept = body !== '' && Buffer.byteLength(body) <= maxAnswerBytes;
      await scripts.complete(redis, keysOf(tenant, digest), [
        ...[digest, answer.status, answer.location ?? ''],
        kept ? sealer.seal(body, answerContext(keys.idempotency(tenant, digest))) : '',
        ...[bounds.answersBytes(), keys.idempotency(tenant, '')],
      ]);
    },

    /** Lets the key be used again: nothing was created under it. */
    async release(tenant: string, key: string): Promise<void> {
      const digest = digestOf(key);
      await redis
        .multi()
        .del(keys.idempotency(tenant, digest))
        .zrem(keys.idempotencyIndex(tenant), digest)
        .exec();
    },
  };
}
