import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { fileURLToPath } from 'node:url';
import {
  type Bounds,
  ipv4Rules,
  ipv6Rules,
  isInPlace,
  type RuleSet,
  restoreScript,
} from './firewall-rules.ts';

/** The rules that stand between sandboxes with egress and everything that is not the public internet. */
export type Firewall = {
  /**
   * Puts the rules in their place if anything of them is missing; quick when nothing is. To be called before each
   * sandbox, since other tools on the machine flush rules. Throws an Error that says why it is not possible: then
   * no egress may be given.
   */
  ensure(): Promise<void>;
  /** What of the wanted bounds stands; `undefined` before the first `ensure`. */
  bounds(): Bounds | undefined;
  /** Takes what a subnet began out of this machine's table of connections. */
  forget(subnet: string): Promise<void>;
};

type Family = { name: 'iptables' | 'ip6tables'; candidates(listing: string[]): Candidate[] };
/** Rules, with what of the bounds is in them. */
type Candidate = { set: RuleSet; bounds: Bounds };

/** Root, which the engine's own forwarder of ports is, the worker, and the gateway. */
export function callersOf(gateway: number): number[] {
  const uids = new Set([0, process.getuid?.() ?? 0, gateway]);
  return [...uids].sort((a, b) => a - b);
}

/** The sandbox init, which speaks with the kernel's table of connections when it is started on the machine itself. */
const defaultInit = fileURLToPath(new URL('../../../infra/sandbox-init/build/init', import.meta.url));
const defaultBounds: Bounds = { connections: 1024, callers: callersOf(0) };

/** `resolvers`: IPv4 addresses whose port 53 stays open, also where they are private ones. */
export function createFirewall(
  resolvers: string[],
  { bounds: wanted = defaultBounds, init = defaultInit }: { bounds?: Bounds; init?: string } = {},
): Firewall {
  const bad = resolvers.find((address) => !isIPv4(address));
  if (bad !== undefined) throw new Error(`The egress resolver "${bad}" is not an IPv4 address`);
  let standing: Bounds | undefined;
  const ipv4: Family = {
    name: 'iptables',
    candidates: (listing) => {
      const forwardHook = listing.includes('-N DOCKER-USER') ? 'DOCKER-USER' : 'FORWARD';
      return lesser(wanted).map((bounds) => ({ bounds, set: ipv4Rules(resolvers, forwardHook, bounds) }));
    },
  };
  const ipv6: Family = { name: 'ip6tables', candidates: () => [{ bounds: wanted, set: ipv6Rules() }] };
  const families = () => (existsSync('/proc/net/if_inet6') ? [ipv4, ipv6] : [ipv4]);

  // One change at a time: two at once would each insert their jumps.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (change: () => Promise<void>): Promise<void> => {
    const done = last.then(change, change);
    last = done.catch(() => {});
    return done;
  };
  const each = (change: (family: Family) => Promise<void>) =>
    inTurn(async () => {
      for (const family of families()) await change(family);
    });
  const ensureOne = async (family: Family) => {
    const bounds = await ensure(family);
    if (family === ipv4) standing = bounds;
  };
  return {
    ensure: () => each(ensureOne),
    bounds: () => standing,
    forget: async (subnet) => void (await run(init, ['forget', subnet])),
  };
}

/**
 * All that is wanted first, then less and less of it: a kernel may lack a match (connlimit, hashlimit; owner). What is forbidden is
 * held to all the same, and `bounds` tells. Tried anew each time: the first may have failed for another reason.
 */
function lesser({ connections, callers }: Bounds): Bounds[] {
  return [
    { connections, callers },
    { connections, callers: null },
    { connections: null, callers },
    { connections: null, callers: null },
  ];
}

/** Puts up the first of the family's candidates that the kernel takes. */
async function ensure(family: Family): Promise<Bounds> {
  const before = await list(family);
  let refused: unknown;
  for (const { set, bounds } of family.candidates(before)) {
    if (isInPlace(set, before)) return bounds;
    try {
      await restore(family, restoreScript(set, before));
    } catch (error) {
      refused ??= error;
      continue;
    }
    if (isInPlace(set, await list(family))) return bounds;
    throw new Error(
      `${family.name} took the rules but does not show them; another tool may be changing them`,
    );
  }
  throw refused;
}

async function list({ name }: Family): Promise<string[]> {
  const text = await run(name, ['-w', lockSeconds, '-S']);
  return text.split('\n').filter((line) => line !== '');
}

async function restore({ name }: Family, script: string): Promise<void> {
  await run(`${name}-restore`, ['-w', lockSeconds, '--noflush'], script);
}

/** Docker itself holds the lock while it makes a network. */
const lockSeconds = '5';
const deadlineMs = 10_000;

function run(command: string, args: string[], input = ''): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
    // Nothing else of ours is its business. An operator's root may have no sbin in its path.
    env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  });
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  child.on('error', (error) =>
    reject(new Error(`${command} cannot be run: ${error.message}`, { cause: error })),
  );
  child.on('close', (code, signal) => {
    if (code === 0) resolve(output);
    else reject(new Error(`${command} failed (${signal ?? code}): ${complaint.replace(/\s+/g, ' ').trim()}`));
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return promise;
}
