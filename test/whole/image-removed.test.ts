import { expect, inject, test } from 'vitest';
import { docker } from '../support/docker.ts';
import { startRunlet } from '../support/runlet.ts';

test('an image that somebody removed right after a run of it is pulled again for the next one', async () => {
  const lab = inject('lab');
  const image = `${lab.registry}/runlet-test/traits:1`;
  // No sandbox is made ahead: each run asks for its image.
  const runlet = await startRunlet(lab, { env: { RUNLET_WARM_MAX: '0' } });
  try {
    for (let pulled = 0; pulled < 3; ) {
      const { status, error, timings } = await runlet.run({ image });
      expect({ status, error }).toEqual({ status: 'succeeded', error: null });
      // For a second one is made of what was there a moment ago, where its files are still held.
      if (timings.pullMs === null) continue;
      pulled += 1;
      await docker(lab.dockerHost, 'rmi', '-f', image);
    }
  } finally {
    await runlet.stop();
  }
});

test('an image is removed though sandboxes of it are kept ready, and right after a run', async () => {
  const lab = inject('lab');
  const runlet = await startRunlet(lab);
  const image = 'runlet-test-removed:1';
  const path = `/v1/images/${encodeURIComponent(image)}`;
  try {
    // An image that no other test has a container of.
    await runlet.run({ image: 'busybox' });
    const container = (await docker(lab.dockerHost, 'create', 'busybox')).trim();
    await docker(lab.dockerHost, 'commit', '--change', 'CMD ["true"]', container, image);
    await docker(lab.dockerHost, 'rm', container);
    for (;;) {
      const { status, startedWarm } = await runlet.run({ image });
      expect(status).toBe('succeeded');
      if (startedWarm) break;
    }
    const answer = await runlet.call('DELETE', path);
    expect(await answer.json()).toMatchObject({ data: [{ removed: true, error: null }] });
  } finally {
    await runlet.stop();
  }
});
