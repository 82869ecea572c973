import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import {
  ipv4Rules,
  ipv6Rules,
  isInPlace,
  type RuleSet,
  removeScript,
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
  /** Takes them away. Only when no sandbox of any worker on this machine is left. */
  remove(): Promise<void>;
};

type Family = { name: 'iptables' | 'ip6tables'; rulesFor(listing: string[]): RuleSet };

/** `resolvers`: IPv4 addresses whose port 53 stays open, also where they are private ones. */
export function createFirewall(resolvers: string[]): Firewall {
  const bad = resolvers.find((address) => !isIPv4(address));
  if (bad !== undefined) throw new Error(`The egress resolver "${bad}" is not an IPv4 address`);
  const ipv4: Family = {
    name: 'iptables',
    rulesFor: (listing) =>
      ipv4Rules(resolvers, listing.includes('-N DOCKER-USER') ? 'DOCKER-USER' : 'FORWARD'),
  };
  const ipv6: Family = { name: 'ip6tables', rulesFor: ipv6Rules };
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
  return { ensure: () => each(ensure), remove: () => each(remove) };
}

async function ensure(family: Family): Promise<void> {
  const before = await list(family);
  const wanted = family.rulesFor(before);
  if (isInPlace(wanted, before)) return;
  await restore(family, restoreScript(wanted, before));
  if (!isInPlace(wanted, await list(family)))
    throw new Error(
      `${family.name} took the rules but does not show them; another tool may be changing them`,
    );
}

async function remove(family: Family): Promise<void> {
  await restore(family, removeScript(await list(family)));
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
