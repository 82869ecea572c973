import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanUp, runCli } from './support/cli.ts';
import { StubApi } from './support/stub-api.ts';
import { healthy } from './support/stub-worker.ts';

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
  api.workers = [healthy];
});
afterEach(() => api.stop());
afterAll(cleanUp);

const cli = (...args: string[]) => runCli(args, { url: api.url });
const idOf = (end: string) => `wrk_0197${end.padStart(28, '0')}`;

describe('runlet workers, drain and undrain', () => {
  it('lists and drains', async () => {
    const { out } = await cli('workers');
    expect(out).toMatch(
      /wrk_1 +node-a +ready +Docker Engine 29\.9\.0 +1 +0\.5\/2 +1\.0 GiB\/8\.0 GiB +50\.0 GiB +\d+s ago\n/,
    );
    expect(await cli('drain', 'wrk_1')).toMatchObject({ code: 0, out: 'wrk_1\n' });
    expect(api.requests('POST', '/v1/workers/wrk_1/drain')).toHaveLength(1);
  });

  it('takes a name, an id or its beginning, and gives back what was drained', async () => {
    api.workers = [
      { ...healthy, id: idOf('1'), name: 'node-a' },
      { ...healthy, id: `wrk_0198${'0'.repeat(28)}`, name: 'node-b' },
    ];
    expect(await cli('drain', 'node-a', idOf('1'), 'wrk_0198')).toMatchObject({
      code: 0,
      out: `node-a\n${idOf('1')}\nwrk_0198\n`,
    });
    expect(api.requests('POST', `/v1/workers/${idOf('1')}/drain`)).toHaveLength(2);
    expect(api.requests('POST', `/v1/workers/wrk_0198${'0'.repeat(28)}/drain`)).toHaveLength(1);
    expect(await cli('undrain', 'node-a')).toMatchObject({ code: 0, out: 'node-a\n', stderr: '' });
    expect(api.requests('DELETE', `/v1/workers/${idOf('1')}/drain`)).toHaveLength(1);
  });

  it('says which ones are meant by what several are called, and what there is', async () => {
    api.workers = [
      { ...healthy, id: idOf('1') },
      { ...healthy, id: idOf('2') },
    ];
    const twice = await cli('drain', 'node-a');
    expect(twice).toMatchObject({ code: 1, out: '' });
    expect(twice.stderr).toContain(
      `node-a can mean 2 things\n  Which one is meant: ${idOf('1')}, ${idOf('2')}?`,
    );
    const none = await cli('drain', 'node-c');
    expect(none).toMatchObject({ code: 1, out: '' });
    expect(none.stderr).toContain('There is no worker node-c: `runlet workers` lists them.');
    expect(api.requests('POST', /drain/)).toHaveLength(0);
  });
});
