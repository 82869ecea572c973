import { existsSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { fileURLToPath } from 'node:url';
import { sandboxesWithEgress } from '../../../shared/egress-share.ts';
import { run } from './command.ts';
import { type Bounds, dockerUserJump, ipv4Rules, ipv6Rules } from './firewall-rules.ts';
import { type Iptables, list, restore } from './iptables.ts';
import { isInPlace, type RuleSet, restoreScript } from './rule-set.ts';
import { shareNext } from './share-next.ts';
import { trackedConnections } from './tracked-connections.ts';

/** The firewall between containers and everything that is not the public internet. */
export type Firewall = {
  /**
   * Installs the rules if any is missing; quick when none is. To be called before each sandbox is made, since other tools on the machine
   * flush rules. Throws an Error that says why it is not possible: then no egress may be given.
   */
  ensure(): Promise<void>;
  /** The bounds that are in force, which may be fewer than were wanted; `undefined` before the first `ensure`. */
  bounds(): Bounds | undefined;
  /** How many networks with egress there may be on this machine at a time, so that they do not fill its connection table; `null`: no bound. */
  egressAtOnce(): number | null;
  /** Removes the connections that a subnet opened from this machine's connection table. */
  forget(subnet: string): Promise<void>;
};

type Family = { name: Iptables; candidates(listing: string[]): Candidate[] };
/** Rules, and the bounds that they hold to. */
type Candidate = { set: RuleSet; bounds: Bounds };

/** Root (as which the engine's port forwarder runs), the worker, and the gateway. */
export function callersOf(gateway: number): number[] {
  const uids = new Set([0, process.getuid?.() ?? 0, gateway]);
  return [...uids].sort((a, b) => a - b);
}

/** The sandbox init: started on the machine itself, it edits the kernel's connection table. */
const defaultInit = fileURLToPath(new URL('../../../infra/sandbox-init/build/init', import.meta.url));
const defaultBounds: Bounds = { connections: 1024, callers: callersOf(0) };

/** `resolvers`: IPv4 addresses whose port 53 stays open, even where they are private addresses. */
export function createFirewall(
  resolvers: string[],
  {
    bounds: wanted = defaultBounds,
    init = defaultInit,
    tracked = trackedConnections,
  }: { bounds?: Bounds; init?: string; tracked?: () => number | null } = {},
): Firewall {
  const bad = resolvers.find((address) => !isIPv4(address));
  if (bad !== undefined) throw new Error(`The egress resolver "${bad}" is not an IPv4 address`);
  let inForce: Bounds | undefined;
  const ipv4: Family = {
    name: 'iptables',
    candidates: (listing) => {
      const forwardHook = listing.includes(dockerUserJump) ? 'DOCKER-USER' : 'FORWARD';
      const max = tracked();
      return weakerBounds(wanted).map((bounds) => ({
        bounds,
        set: ipv4Rules(resolvers, forwardHook, bounds, max),
      }));
    },
  };
  const ipv6: Family = { name: 'ip6tables', candidates: () => [{ bounds: wanted, set: ipv6Rules() }] };
  const families = () => (existsSync('/proc/net/if_inet6') ? [ipv4, ipv6] : [ipv4]);

  const ensureOne = async (family: Family) => {
    const bounds = await ensure(family);
    if (family === ipv4) inForce = bounds;
  };
  return {
    ensure: shareNext(async () => void (await Promise.all(families().map(ensureOne)))),
    bounds: () => inForce,
    egressAtOnce: () => {
      const max = tracked();
      const each = inForce?.connections;
      return max === null || typeof each !== 'number' ? null : sandboxesWithEgress(each, max);
    },
    forget: async (subnet) => void (await run(init, ['forget', subnet])),
  };
}

/**
 * All wanted bounds first, then fewer and fewer: a kernel may lack a match (connlimit, hashlimit; owner). What may not be reached at all
 * is blocked by each of them, and `bounds` tells which one is in force. All are tried each time: the first may have failed for another
 * reason.
 */
function weakerBounds({ connections, callers }: Bounds): Bounds[] {
  return [
    { connections, callers },
    { connections, callers: null },
    { connections: null, callers },
    { connections: null, callers: null },
  ];
}

/** Installs the first of the family's candidates that the kernel accepts. */
async function ensure({ name, candidates }: Family): Promise<Bounds> {
  const before = await list(name, 'filter');
  let refused: unknown;
  for (const { set, bounds } of candidates(before)) {
    if (isInPlace(set, before)) return bounds;
    try {
      await restore(name, restoreScript(set, before));
    } catch (error) {
      refused ??= error;
      continue;
    }
    if (isInPlace(set, await list(name, 'filter'))) return bounds;
    throw new Error(`${name} took the rules but does not show them; another tool may be changing them`);
  }
  throw refused;
}
