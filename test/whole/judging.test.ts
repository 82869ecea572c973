import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Runlet, startRunlet } from '../support/runlet.ts';

/** What judges ask of a run, by each driver: an Engine's containers, and those that a worker starts by itself. */
const lab = inject('lab');
const drivers = process.getuid?.() === 0 ? ['engine', 'oci'] : ['engine'];

describe.each(drivers)('by the driver "%s"', (driver) => {
  let runlet: Runlet;
  beforeAll(async () => {
    runlet = await startRunlet(lab, { env: { RUNLET_DRIVER: driver } });
  });
  afterAll(() => runlet.stop());

  const shell = (script: string, more: Record<string, unknown> = {}) => ({
    image: 'busybox',
    workdir: '/work',
    command: ['sh', '-c', script],
    ...more,
  });

  test('both streams as one pipe are in their exact order', async () => {
    const script = 'i=0; while [ $i -lt 500 ]; do echo out; echo err >&2; i=$((i+1)); done';
    const { steps, stdout, stderr } = await runlet.run(shell(script, { mergeStderr: true }));
    expect([stdout, stderr]).toEqual(['out\nerr\n'.repeat(500), '']);
    expect(steps).toMatchObject([{ stdout, stderr: '', output: stdout, outputEncoding: 'utf8' }]);
  });

  test('of two pipes `output` has the order of what is written one after another', async () => {
    const { id } = await runlet.run(
      shell('for i in 1 2 3; do echo out; sleep 0.1; echo err >&2; sleep 0.1; done'),
    );
    const answer = await runlet.call('GET', `/v1/runs/${id}?output=true`);
    expect(await answer.json()).toMatchObject({
      steps: [{ stdout: 'out\n'.repeat(3), stderr: 'err\n'.repeat(3), output: 'out\nerr\n'.repeat(3) }],
    });
  });
});
