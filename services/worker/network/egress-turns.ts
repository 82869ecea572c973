import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../../shared/problems.ts';
import type { Firewall } from './firewall.ts';
import { egressPrefix } from './firewall-rules.ts';

/** How long one that wants egress waits for its turn where there are as many as there may be. */
export const usualPatienceMs = 60_000;
const lookAgainMs = 250;

/**
 * Makes a network with egress when there is room for one on this machine: then others, of other workers too, look at the same time, so it is
 * looked again once it is there. Rejects with a Problem `overloaded` where there are as many as there may be, and stay; with the signal's
 * reason when it is aborted.
 */
export async function inTurn(
  network: { make(): Promise<void>; remove(): Promise<void> },
  { firewall, patienceMs }: { firewall: Pick<Firewall, 'egressAtOnce'>; patienceMs: number },
  signal?: AbortSignal,
): Promise<void> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const max = firewall.egressAtOnce() ?? Number.POSITIVE_INFINITY;
    if (withEgress() < max) {
      await network.make();
      if (withEgress() <= max) return;
      await network.remove();
    }
    if (performance.now() >= until) throw tooMany(max);
    await sleep(lookAgainMs * (1 + Math.random()), undefined, { signal }).catch(() => {});
    signal?.throwIfAborted();
  }
}

/** Of all workers on this machine, and of both kinds. */
const withEgress = () => readdirSync('/sys/class/net').filter((name) => name.startsWith(egressPrefix)).length;

const tooMany = (max: number) =>
  new Problem(
    'overloaded',
    `This worker’s machine has room for the connections of ${max} runs and services with egress at a time (nf_conntrack_max), and there are as many. Try again later, or use network "none".`,
    { retryAfterSeconds: 60 },
  );
