import { expect, inject, test } from 'vitest';
import { createEgress } from '../../../../../services/worker/network/egress.ts';
import { createFirewall } from '../../../../../services/worker/network/firewall.ts';
import { defaultEgressPool, subnetPool } from '../../../../../services/worker/network/subnets.ts';
import { begin } from '../../../../infra/sandbox-init/support.ts';
import { bench, owner, request, sandboxOf } from '../../../engine/support.ts';
import { answered, internet, metadata, resolver, site, tries } from '../../../network/internet.ts';
import { open } from './open.ts';

const { firewall } = internet();
const { engine } = bench();

test('a sandbox with egress has a network of its own, which is told of, and goes with it or with what could not be made', async () => {
  const egress = createEgress({
    engine,
    firewall,
    subnets: subnetPool(defaultEgressPool),
    resolvers: [resolver],
  });
  const { driver, image, traces, close } = await open(inject('lab').dockerHost, egress);
  try {
    const who = owner();
    const spec = sandboxOf(request({ network: 'egress' }), await image(), who);
    const sandbox = await driver.make(spec);
    await sandbox.session.prepare('/work', []);
    const script = tries([`${site}:80`, metadata]);
    const { text } = await begin(sandbox.session, ['sh', '-c', script]).result;
    expect(answered(text)).toEqual([`${site}:80`]);
    const left = await driver.left(who.instance);
    expect(left.map((one) => one.owner)).toEqual([spec.owner, spec.owner]);
    await sandbox.remove();
    expect(await traces(who.instance)).toEqual([]);

    const bad = { ...spec, image: `sha256:${'0'.repeat(64)}` };
    await expect(driver.make(bad)).rejects.toMatchObject({ code: 'image_not_present' });
    expect(await traces(who.instance)).toEqual([]);
  } finally {
    await driver.close();
    close();
  }
});

test('one that waits for its turn for egress is not made once nobody wants it any more', async () => {
  // The table of connections has room for one.
  const small = createFirewall([resolver], { tracked: () => 2 * 1_024 });
  const egress = createEgress({
    engine,
    firewall: small,
    subnets: subnetPool(defaultEgressPool),
    resolvers: [resolver],
  });
  const { driver, image, traces, close } = await open(inject('lab').dockerHost, egress);
  try {
    const [first, second] = [owner(), owner()];
    const asked = request({ network: 'egress' });
    const sandbox = await driver.make(sandboxOf(asked, await image(), first));
    const gone = new AbortController();
    const waiting = driver.make(sandboxOf(asked, await image(), second), gone.signal);
    gone.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
    // The container and the network of the first.
    expect(await traces(first.instance)).toHaveLength(2);
    await sandbox.remove();
    expect(await traces(first.instance)).toEqual([]);
  } finally {
    await driver.close();
    close();
    await firewall.ensure();
  }
});
