import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { sseReader } from '../gateway/sse.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { hoarder, modest, quotas } from './support/shared-quotas.ts';

const lab = inject('lab');
let runlet: Runlet;

beforeAll(async () => {
  await ensureImages(lab, ['python:3.11-slim-bookworm']);
  runlet = await startRunlet(lab);
}, 300_000);
afterAll(() => runlet.stop());

/** With what a run has written once it holds all that it can get; it is cancelled when `use` is through. */
async function beside<T>(request: Record<string, unknown>, use: (said: string) => Promise<T>): Promise<T> {
  const { id } = (await (await runlet.call('POST', '/v1/runs', request)).json()) as Run;
  const events = sseReader(
    await runlet.call('GET', `/v1/runs/${id}/events`, undefined, { accept: 'text/event-stream' }),
  );
  try {
    let said = '';
    while (!said.includes('held')) {
      const next = await events.next();
      if (next === undefined) throw new Error(`it ended: ${said}`);
      if (next.event === 'stdout' || next.event === 'stderr')
        said += (JSON.parse(next.data) as { data: string }).data;
    }
    return await use(said);
  } finally {
    await events.close();
    await runlet.call('POST', `/v1/runs/${id}/cancel`);
    await runlet.ended(id);
  }
}

const kinds = quotas.map(({ kind }) => kind);
const whole = {
  status: 'succeeded',
  stdout: quotas.map(({ kind, few }) => `${kind} ${few} all\n`).join(''),
};

describe('a run that takes all that the kernel gives to its user leaves its own to a neighbour', () => {
  test('of everything that is counted by user', async () => {
    expect(await runlet.run(modest(quotas))).toMatchObject(whole);
    await beside(hoarder(kinds), async (said) => {
      // It did meet the end of each.
      const ends = said
        .split('\n')
        .filter((line) => /^\w+ \d+ (?:EMFILE|ENOSPC|ETOOMANYREFS|EAGAIN|EPERM|ENOMEM)$/.test(line));
      expect(ends.map((line) => line.split(' ')[0])).toEqual(kinds);
      expect(await runlet.run(modest(quotas))).toMatchObject(whole);
    });
  });
});
