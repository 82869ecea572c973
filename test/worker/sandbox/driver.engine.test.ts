import { expect, inject, onTestFinished, test } from 'vitest';
import { sandboxName } from '../../../services/worker/labels.ts';
import { docker, owner, request, sandboxOf } from '../engine/support.ts';
import { driverSuite } from './driver.suite.ts';
import { open } from './drivers/engine/open.ts';

driverSuite('engine', new URL('./drivers/engine/open.ts', import.meta.url));

test('a container of the engine’s has no health check of its image', async () => {
  const traits = `${inject('lab').registry}/runlet-test/traits:1`;
  const { driver, image, traces, close } = await open(inject('lab').dockerHost);
  onTestFinished(close);
  docker('pull', '-q', traits);
  onTestFinished(() => void docker('rmi', '-f', traits));
  const who = owner();
  const sandbox = await driver.make(sandboxOf(request({ image: traits }), await image(traits), who));
  onTestFinished(() => sandbox.remove());
  expect(docker('inspect', '-f', '{{json .State.Health}}', sandbox.id)).toBe('null');
  expect(await traces(who.instance)).toEqual([sandboxName(who)]);
});
