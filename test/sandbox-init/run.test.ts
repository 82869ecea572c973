import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Runlet, startRunlet } from '../support/runlet.ts';

const lab = inject('lab');
let runlet: Runlet;
beforeAll(async () => {
  runlet = await startRunlet(lab);
});
afterAll(() => runlet.stop());

test('a run is told the same of arguments that the kernel refuses and of those that its init cannot be told', async () => {
  const given = (count: number) => Array.from({ length: count }, () => 'x'.repeat(120_000));
  for (const args of [given(30), given(40)])
    expect(await runlet.run({ image: 'busybox', command: ['true'], args })).toMatchObject({
      status: 'errored',
      error: { code: 'start_failed', detail: expect.stringContaining('too long') },
      steps: [{ name: 'run', status: 'errored' }],
    });
});
