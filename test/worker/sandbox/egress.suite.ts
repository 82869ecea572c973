import { expect, inject, test } from 'vitest';
import { createFirewall, type Firewall } from '../../../services/worker/network/firewall.ts';
import { defaultEgressPool, subnetPool } from '../../../services/worker/network/subnets.ts';
import { begin } from '../../infra/sandbox-init/support.ts';
import { owner, request, sandboxOf } from '../engine/support.ts';
import { answered, internet, metadata, resolver, site, tries } from '../network/internet.ts';
import type { DriverBench } from './driver.suite.ts';

/** What the networks of a driver are made with. */
export type NetworkParts = {
  firewall: Firewall;
  subnets: ReturnType<typeof subnetPool>;
  resolvers: string[];
};

/** What every sandbox driver that gives egress has to do. Call it once in a file: the internet of its tests is the machine's. */
export function egressSuite(open: (dockerHost: string, parts: NetworkParts) => Promise<DriverBench>): void {
  const { firewall } = internet();
  const opened = (ofFirewall: Firewall) =>
    open(inject('lab').dockerHost, {
      firewall: ofFirewall,
      subnets: subnetPool(defaultEgressPool),
      resolvers: [resolver],
    });

  test('a sandbox with egress has a network of its own, which is told of, and goes with it or with what could not be made', async () => {
    const { driver, image, traces, close } = await opened(firewall);
    try {
      const who = owner();
      const spec = sandboxOf(request({ network: 'egress' }), await image(), who);
      expect(driver.refuses(spec)).toBeNull();
      const sandbox = await driver.make(spec);
      await sandbox.session.prepare('/work', []);
      const script = tries([`${site}:80`, metadata]);
      const { text } = await begin(sandbox.session, ['sh', '-c', script]).result;
      expect(answered(text)).toEqual([`${site}:80`]);
      const names = await begin(sandbox.session, ['cat', '/etc/resolv.conf']).result;
      expect(names.text).toMatch(/^nameserver \d/m);
      const left = await driver.left(who.instance);
      expect(left.map((one) => one.owner)).toEqual([spec.owner, spec.owner]);
      expect(new Set(left.map(({ id }) => id)).size).toBe(2);
      await sandbox.remove();
      expect(await traces(who.instance)).toEqual([]);

      const bad = { ...spec, image: `sha256:${'0'.repeat(64)}` };
      await expect(driver.make(bad)).rejects.toMatchObject({ code: 'image_not_present' });
      await expect.poll(() => traces(who.instance)).toEqual([]);
    } finally {
      await driver.close();
      close();
    }
  });

  test('one that waits for its turn for egress is not made once nobody wants it any more', async () => {
    // The table of connections has room for one.
    const small = createFirewall([resolver], { tracked: () => 2 * 1_024 });
    const { driver, image, traces, close } = await opened(small);
    try {
      const [first, second] = [owner(), owner()];
      const asked = request({ network: 'egress' });
      const sandbox = await driver.make(sandboxOf(asked, await image(), first));
      const before = await traces(first.instance);
      const gone = new AbortController();
      const waiting = driver.make(sandboxOf(asked, await image(), second), gone.signal);
      gone.abort(new Error('cancelled'));
      await expect(waiting).rejects.toThrow('cancelled');
      await expect.poll(() => traces(first.instance)).toEqual(before);
      await sandbox.remove();
      expect(await traces(first.instance)).toEqual([]);
    } finally {
      await driver.close();
      close();
      await firewall.ensure();
    }
  });
}
