import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { shortIds } from '../../services/cli/ids/short.ts';
import { cleanUp, runCli } from './support/cli.ts';
import { StubApi, testKey } from './support/stub-api.ts';
import { exit, stdout } from './support/stub-runs.ts';
import { cliWord, onTerminal } from './support/terminal.ts';

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
});
afterEach(() => api.stop());
afterAll(cleanUp);

const cli = (...args: string[]) => runCli(args, { url: api.url });

/** A run of this id that has written its name. */
async function runOf(start: string): Promise<string> {
  const id = `run_${start.padEnd(32, '0')}`;
  api.script = { events: [stdout(`${start}\n`), exit('succeeded', { exitCode: 0 })], record: { id } };
  await cli('run', '-d', 'busybox');
  return id;
}

describe('the id of a run', () => {
  it('may be its beginning, with or without "run_", and as a table shows it', async () => {
    await runOf('01971111aaaa');
    await runOf('01972222bbbb');
    for (const text of ['run_01971111', '01971111', 'run_01971111…'])
      expect(await cli('logs', text.startsWith('run_') ? text : `run_${text}`)).toMatchObject({
        code: 0,
        out: '01971111aaaa\n',
      });
    expect((await cli('show', '01972222')).out).toContain('run_01972222bbbb');
  });

  it('may be "last", which is the newest', async () => {
    await runOf('01971111aaaa');
    const newest = await runOf('01972222bbbb');
    expect(await cli('logs', 'last')).toMatchObject({ code: 0, out: '01972222bbbb\n' });
    expect(await cli('rm', 'last')).toMatchObject({ code: 0, out: `${newest}\n` });
    expect(await cli('logs', 'last')).toMatchObject({ code: 0, out: '01971111aaaa\n' });
  });

  it('that several have at their beginning is told with those that it can mean', async () => {
    const [one, two] = [await runOf('01971111aaaa'), await runOf('01971111bbbb')];
    const ended = await cli('rm', 'run_01971111');
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.stderr).toContain(`Which one is meant: ${two}, ${one}?`);
    expect(api.runs.size).toBe(2);
  });

  it('that nothing has is told, with where to look', async () => {
    const none = await cli('show', 'last');
    expect(none).toMatchObject({ code: 1, out: '' });
    expect(none.stderr).toContain('There is no run');
    await runOf('01971111aaaa');
    for (const text of ['run_0198', '01', 'yesterday', `run_${'f'.repeat(33)}`]) {
      const ended = await cli('show', text);
      expect(ended).toMatchObject({ code: 1, out: '' });
      expect(ended.stderr).toContain('`runlet ps -a` lists them');
    }
  });

  it('is looked for in as much of the list as can have it', async () => {
    const wanted = await runOf('0197ffff');
    const one = api.runs.get(wanted);
    if (one === undefined) throw new Error('the run is not there');
    for (let older = 0; older < 130; older += 1) {
      const id = `run_${String(older).padStart(32, '0')}`;
      api.runs.set(id, { ...one, record: { ...one.record, id } });
    }
    expect((await cli('show', '0197ff')).out).toContain(wanted);
    expect(api.requests('GET', '/v1/runs')).toHaveLength(1);
    expect((await cli('show', '0'.repeat(31))).stderr).toContain('can mean 10 things');
    expect(api.requests('GET', '/v1/runs')).toHaveLength(3);
  });
});

describe('shortened ids', () => {
  const terminal = { isTTY: true };

  it('are as long as it takes to tell them apart, and whole in a pipe', () => {
    const ids = [`run_0197aaaa1111${'a'.repeat(20)}`, `run_0197aaaa1111${'b'.repeat(20)}`];
    const [one = '', two = ''] = ids;
    expect(shortIds(terminal, [one])(one)).toBe('run_0197aaaa1111');
    expect(ids.map(shortIds(terminal, ids))).toEqual(['run_0197aaaa1111a', 'run_0197aaaa1111b']);
    expect(shortIds(terminal, [one, one])(one)).toBe('run_0197aaaa1111');
    expect(ids.map(shortIds({ isTTY: false }, ids))).toEqual(ids);
    expect(shortIds(terminal, [])(two)).toBe('run_0197aaaa1111');
  });

  it('are what a terminal shows, in rows that are no longer than its lines', async () => {
    const id = await runOf('01971111aaaa');
    Object.assign(api.runs.get(id)?.record ?? {}, {
      image: { reference: `registry.example.com/${'team/'.repeat(9)}app:1`, digest: null },
    });
    const shown = onTerminal(`stty cols 70; ${cliWord} ps -a`, { url: api.url, apiKey: testKey });
    await shown.ended;
    const rows = shown.screen().trim().split(/\r?\n/);
    expect(rows).toHaveLength(2);
    expect(rows[1]).toMatch(/^run_01971111aaaa {2}- {2,}registry\.\S+… {2}succeeded {2}\d+[smhd] {2,}0$/);
    for (const row of rows) expect(row.length).toBeLessThanOrEqual(70);
    expect((await cli('ps', '-a')).out).toContain(`${'team/'.repeat(9)}app:1`);
  });
});
