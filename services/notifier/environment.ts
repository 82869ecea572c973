import { Resolver } from 'node:dns';
import { list, sharedEnvironment, wholeNumber } from '../../shared/config.ts';

const MiB = 1024 * 1024;
const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: with the first try, ten in a good three days (API.md). */
const schedule = [
  5 * secondMs,
  5 * minuteMs,
  30 * minuteMs,
  ...[2, 5, 10, 14, 20, 24].map((hours) => hours * hourMs),
];

function areResolvers(servers: string[]): boolean {
  try {
    new Resolver().setServers(servers);
    return true;
  } catch {
    return false;
  }
}

/** The notifier's own knobs. */
export const notifierEnvironment = sharedEnvironment.extend({
  RUNLET_WEBHOOK_SCHEDULE_MS: list
    .transform((all) => (all.length === 0 ? schedule : all.map(Number)))
    .refine(
      (all) => all.length <= 40 && all.every((ms) => Number.isInteger(ms) && ms >= 1 && ms <= 7 * dayMs),
      'must be whole numbers of ms with commas between, a week at most each',
    )
    .describe('waits between the tries of a delivery'),
  RUNLET_WEBHOOK_TIMEOUT_MS: wholeNumber(100, 5 * minuteMs, 15 * secondMs).describe(
    'for a whole try, from the name’s look-up to the status; the specification recommends 15 to 30 s',
  ),
  RUNLET_WEBHOOK_CONCURRENCY: wholeNumber(1, 10_000, 64).describe('tries under way at once'),
  RUNLET_WEBHOOK_ENDPOINT_CONCURRENCY: wholeNumber(1, 1_000, 8).describe(
    'of these, to one receiver: a slow one cannot take all',
  ),
  RUNLET_WEBHOOK_DNS: list
    .refine(areResolvers, 'must be addresses of resolvers, with a port or without: 10.0.0.2,[fd00::53]:5353')
    .describe('resolvers for receivers’ names (address or address:port); empty: the system’s'),
  RUNLET_WEBHOOK_RETENTION_MS: wholeNumber(secondMs, 365 * dayMs, 7 * dayMs).describe(
    'for deliveries that have ended: to see, and to redeliver',
  ),
  RUNLET_WEBHOOK_RETENTION_DELIVERIES: wholeNumber(0, 100_000_000, 100_000),
  RUNLET_WEBHOOK_RETENTION_BYTES: wholeNumber(0, 2 ** 50, 256 * MiB).describe(
    'of the bodies of their events',
  ),
  RUNLET_DRAIN_MS: wholeNumber(0, hourMs, 10_000).describe(
    'how long a stopping notifier ends what it has begun',
  ),
});
