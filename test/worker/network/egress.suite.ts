import { expect, it } from 'vitest';
import { sh } from '../engine/support.ts';
import {
  answered,
  forbidden,
  get,
  ip,
  local,
  namespace,
  otherPrivate,
  ownAddress,
  privateResolver,
  reachable,
  site,
  tries,
} from './internet.ts';

/** A sandbox with egress, or as much of one as has its network. Its shell and programs are busybox's. */
export type Place = {
  /** What a script writes, once it has ended. */
  run(script: string): Promise<string>;
  /** Resolves with the place's address when a script has written something. It goes on until the end. */
  begin(script: string): Promise<string>;
  end(): Promise<void>;
};

/** Which of the targets (`address:port`) a new place reaches. */
export async function reachedFrom(open: () => Promise<Place>, targets: string[]): Promise<string[]> {
  const place = await open();
  try {
    return answered(await place.run(tries(targets)));
  } finally {
    await place.end();
  }
}

/** What holds for every network with egress, whoever makes it. */
export function reachesOnlyTheInternet(open: () => Promise<Place>): void {
  const reached = (targets: string[]) => reachedFrom(open, targets);

  it('reaches a public address, and none that is private, link-local or this machine’s', async () => {
    for (const target of forbidden) await reachable(target);
    expect(await reached([`${site}:80`, ...forbidden, ...local])).toEqual([`${site}:80`]);
  });

  it('reaches its own gateway on no port', async () => {
    const place = await open();
    const script =
      'gateway=$(ip route | sed -n "s/default via \\([0-9.]*\\).*/\\1/p"); echo "$gateway"; ' +
      `${get('$gateway:8099')}; true`;
    const said = await place.run(script).finally(place.end);
    expect(said).toMatch(/^10\.213\.\d+\.\d+\n$/);
  });

  it('reaches the port 53 of its resolvers, also of a private one, and no other of their ports', async () => {
    const targets = [`${privateResolver}:53`, `${privateResolver}:80`, `${otherPrivate}:53`];
    expect(await reached(targets)).toEqual([`${privateResolver}:53`]);
  });

  it('has no IPv6', async () => {
    const place = await open();
    const said = await place.run('cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6').finally(place.end);
    expect(said).toBe('1\n');
  });

  it('is reached by no other, nor from this machine’s networks', async () => {
    const [one, two] = [await open(), await open()];
    const own = get('$(ip route | sed -n "s/.* src \\([0-9.]*\\).*/\\1/p"):8080');
    const web =
      'web=$(mktemp -d); echo -n reached > $web/index.html; httpd -p 8080 -h $web; ' +
      `until ${own} | grep reached; do sleep 0.1; done; sleep 600`;
    const address = await one.begin(web);
    // Without the engine's own rules, as an operator's rule may have it, ours still hold.
    sh('iptables', '-I', 'DOCKER-USER', '3', '-j', 'ACCEPT');
    try {
      expect(await two.run(`${get(`${address}:8080`)}; true`)).toBe('');
      // From "the internet", as someone on the worker's own network segment might try.
      ip('-n', namespace, 'route', 'add', `${address}/32`, 'via', ownAddress);
      const neighbour = `${get(`${address}:8080`)}; true`.replace('| nc ', '| busybox nc ');
      expect(sh('ip', 'netns', 'exec', namespace, 'sh', '-c', neighbour)).toBe('');
    } finally {
      sh('iptables', '-D', 'DOCKER-USER', '-j', 'ACCEPT');
      await one.end();
      await two.end();
    }
  });
}
