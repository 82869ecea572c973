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

  test('files lie below /tmp as the run’s own, with their modes, beside those in the work folder', async () => {
    const files = [
      { path: 'here', content: 'in the folder\n' },
      { path: '/tmp/data/deep/input', content: 'beside it\n', mode: '0640' },
      { path: '/tmp/run.sh', content: '#!/bin/sh\npwd; cat here /tmp/data/deep/input\n', mode: '0755' },
    ];
    const look =
      'stat -c "%a %u" /tmp/data/deep/input /tmp/run.sh; id -u; echo more >> /tmp/data/deep/input; /tmp/run.sh';
    const { stdout, stderr } = await runlet.run(shell(look, { files }));
    const user = stdout.split('\n')[2];
    expect([stdout, stderr]).toEqual([
      `640 ${user}\n755 ${user}\n${user}\n/work\nin the folder\nbeside it\nmore\n`,
      '',
    ]);
    const inside = {
      workdir: '/tmp/own',
      files: [
        { path: 'a', content: 'A' },
        { path: '/tmp/b', content: 'B' },
      ],
    };
    expect((await runlet.run(shell('pwd; cat a ../b', inside))).stdout).toBe('/tmp/own\nAB');
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
