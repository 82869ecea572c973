import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanUp, runCli, startCli } from './support/cli.ts';
import { StubApi } from './support/stub-api.ts';
import { exit, status, stderr, stdout } from './support/stub-runs.ts';

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
});
afterEach(() => api.stop());
afterAll(cleanUp);

const cli = (args: string[]) => runCli(args, { url: api.url });
const ended = { events: [stdout('a\n'), stderr('b\n'), exit('failed', { exitCode: 3 })] };
const running = { events: [status('running'), stdout('so far\n'), exit('cancelled')], hold: true };

async function newRun(script: typeof api.script, image = 'busybox'): Promise<string> {
  api.script = script;
  return (await cli(['run', '-d', image])).out.trim();
}

describe('runlet ps', () => {
  it('lists what is active, all with -a, or what --status says', async () => {
    const one = await newRun(ended);
    const two = await newRun(running, 'debian:13');
    const active = await cli(['ps']);
    expect(active.out).toContain(two);
    expect(active.out).not.toContain(one);
    expect(active.out).toMatch(/^RUN +LANGUAGE +IMAGE +STATUS +AGE +EXIT\n/);
    expect(active.out).toMatch(/debian:13 +running +\d+[smhd] +-\n$/);
    expect((await cli(['ps', '-a'])).out).toContain(one);
    expect((await cli(['list', '-a'])).out).toContain(one);
    const json = JSON.parse((await cli(['ps', '--status', 'failed', '--json'])).out);
    expect(json).toMatchObject({ data: [{ id: one, exitCode: 3 }], nextCursor: null });
  });

  it('-q prints ids alone, and --metadata picks those that were given it', async () => {
    const one = await newRun({ ...running, record: { metadata: { job: 'a=b', team: 'x' } } });
    const two = await newRun({ ...running, record: { metadata: { job: 'c', team: 'x' } } });
    expect(await cli(['ps', '-q'])).toMatchObject({ code: 0, out: `${two}\n${one}\n`, stderr: '' });
    expect((await cli(['ps', '-q', '--metadata', 'job=a=b'])).out).toBe(`${one}\n`);
    expect((await cli(['ps', '-q', '--metadata', 'team=x', '--metadata', 'job=c'])).out).toBe(`${two}\n`);
    expect((await cli(['ps', '-q', '--metadata', 'team=y'])).out).toBe('');
    expect(await cli(['ps', '--metadata', 'job'])).toMatchObject({ code: 2 });
  });

  it('names the language of code', async () => {
    api.script = running;
    await cli(['run', '-d', '--lang', 'python', '-c', 'print(1)']);
    expect((await cli(['ps'])).out).toMatch(/^run_\d+ +python /m);
  });

  it('pages through long lists up to --limit', async () => {
    api.script = ended;
    for (let i = 0; i < 3; i += 1) await cli(['run', '-d', 'busybox']);
    const two = await cli(['ps', '-a', '--limit', '2']);
    expect(two.out.trim().split('\n')).toHaveLength(3);
    expect(two.stderr).toContain('There are more');
    // The server may give less than was asked for: the cursor says whether there is more.
    const all = await cli(['ps', '-a', '--limit', '250']);
    expect(all.out.trim().split('\n')).toHaveLength(4);
    expect(all.stderr).toBe('');
  });
});

describe('runlet logs', () => {
  it('shows what an ended run wrote, both streams apart', async () => {
    expect(await cli(['logs', await newRun(ended)])).toMatchObject({ code: 0, out: 'a\n', stderr: 'b\n' });
  });

  it('falls back on the record where the events are gone', async () => {
    const record = { stdout: '/w==', stderr: 'YQ==', outputEncoding: 'base64' as const };
    const id = await newRun({ events: [exit('succeeded', { exitCode: 0 })], record });
    const shown = await cli(['logs', id]);
    expect(shown.stdout).toEqual(Buffer.from([0xff]));
    expect(shown.stderr).toBe('a');
  });

  it('shows the past of a run that goes on and leaves; with -f it stays to the end', async () => {
    const id = await newRun(running);
    expect(await cli(['logs', id])).toMatchObject({ code: 0, out: 'so far\n' });
    const following = startCli(['logs', '-f', id], { url: api.url });
    await cli(['cancel', id]);
    expect(await following.ended).toMatchObject({ code: 0, out: 'so far\n' });
  });

  it('gives one event a line with --json', async () => {
    const { out } = await cli(['logs', '--json', await newRun(ended)]);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { type: 'stdout', data: 'a\n', encoding: 'utf8' },
      { type: 'stderr', data: 'b\n', encoding: 'utf8' },
    ]);
  });

  it('says so when there is no such run', async () => {
    const none = await cli(['logs', 'run_none']);
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('Nothing was found');
  });
});

describe('runlet show, cancel, rm', () => {
  it('shows a run’s facts', async () => {
    const id = await newRun({
      ...ended,
      record: { metadata: { job: 'x\u001b[2J' }, usage: { cpuMs: 12, maxMemoryBytes: 2 ** 20 } },
    });
    const { out } = await cli(['show', id]);
    for (const text of [id, 'failed', 'exit code', 'peak memory', '1.0 MiB', 'metadata job'])
      expect(out).toContain(text);
    expect(out).not.toContain('\u001b');
    expect(JSON.parse((await cli(['show', '--json', id])).out).id).toBe(id);
  });

  it('says of a run that had ended that it is not what ended it', async () => {
    const id = await newRun(ended);
    expect(await cli(['cancel', id])).toMatchObject({
      code: 0,
      out: `${id}\n`,
      stderr: `runlet: ${id} had ended already: failed\n`,
    });
  });

  it('does each, tells those that failed, and exits with 1 then', async () => {
    const id = await newRun(ended);
    const active = await newRun(running);
    const gone = await cli(['rm', active, id, 'run_none']);
    expect(gone).toMatchObject({ code: 1, out: `${id}\n` });
    expect(gone.stderr).toContain(`${active}: Not possible now\n  Cancel the run first.`);
    expect(gone.stderr).toContain('run_none: Nothing was found');
    expect([...api.runs.keys()]).toEqual([active]);
    expect(await cli(['cancel', active])).toMatchObject({ code: 0, out: `${active}\n`, stderr: '' });
    const json = JSON.parse((await cli(['cancel', '--json', active, 'run_none'])).out);
    expect(json.data).toMatchObject([
      { id: active, problem: null },
      { id: 'run_none', problem: { code: 'not_found' } },
    ]);
  });
});
