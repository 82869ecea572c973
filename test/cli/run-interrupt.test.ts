import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cleanUp, startCli } from './support/cli.ts';
import { StubApi } from './support/stub-api.ts';
import { exit, status, stdout } from './support/stub-runs.ts';

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
  api.script = { events: [status('running'), stdout('started\n'), exit('cancelled')], hold: true };
});
afterEach(() => api.stop());
afterAll(cleanUp);

const start = (...args: string[]) => startCli(args, { url: api.url });
const cancels = () => api.requests('POST', /\/cancel$/);

/** When the CLI shows the first output, it follows the run. */
async function started(cli: ReturnType<typeof start>): Promise<void> {
  if (cli.child.stdout) await once(cli.child.stdout, 'data');
}

describe('Ctrl-C', () => {
  it('cancels the run, and waits for its end', async () => {
    const cli = start('run', 'busybox');
    await started(cli);
    cli.child.kill('SIGINT');
    const ended = await cli.ended;
    expect(ended).toMatchObject({ code: 130, signal: null, out: 'started\n' });
    expect(ended.stderr).toContain('Cancelling the run');
    expect(cancels()).toHaveLength(1);
  });

  it('leaves the program’s code where the program was faster', async () => {
    api.script.events[2] = exit('succeeded', { exitCode: 0 });
    const cli = start('run', 'busybox');
    await started(cli);
    cli.child.kill('SIGINT');
    expect((await cli.ended).code).toBe(0);
  });

  it('twice leaves at once', async () => {
    // The cancel is answered, but the run takes its time to end.
    api.faults.set('POST /v1/runs/', [{ status: 500, problem: { code: 'internal' } }]);
    const cli = start('run', 'busybox');
    await started(cli);
    cli.child.kill('SIGINT');
    await vi.waitFor(() => expect(cancels()).toHaveLength(1), { timeout: 60_000 });
    await vi.waitFor(() => expect(cli.stderrSoFar()).toContain('Cancelling'), { timeout: 60_000 });
    cli.child.kill('SIGINT');
    expect(await cli.ended).toMatchObject({ code: 130, signal: null });
  });

  it('before the server has taken the run ends the tries', async () => {
    api.faults.set('POST /v1/runs', [{ status: 503, retryAfter: '60' }]);
    const cli = start('run', 'busybox');
    await vi.waitFor(() => expect(cli.stderrSoFar()).toContain('trying again in 60 s'), {
      timeout: 60_000,
    });
    cli.child.kill('SIGINT');
    const ended = await cli.ended;
    expect(ended.code).toBe(130);
    expect(ended.stderr).toContain('before the server accepted the request');
    expect(api.runs.size).toBe(0);
  });

  it('on SIGTERM: the same', async () => {
    const cli = start('run', 'busybox');
    await started(cli);
    cli.child.kill('SIGTERM');
    expect((await cli.ended).code).toBe(130);
    expect(cancels()).toHaveLength(1);
  });
});

describe('a reader that leaves', () => {
  it('cancels the run, as SIGPIPE would end a program', async () => {
    const line = `${'x'.repeat(65_536)}\n`;
    api.script.events = [
      status('running'),
      ...Array.from({ length: 20 }, () => stdout(line)),
      exit('cancelled'),
    ];
    const cli = start('run', 'busybox');
    await started(cli);
    cli.child.stdout?.destroy();
    const ended = await cli.ended;
    expect(ended).toMatchObject({ code: 141, signal: null });
    expect(ended.stderr).toBe('');
    expect(cancels()).toHaveLength(1);
  });
});

/** Resolves when the process reads nothing more: it holds all that it is going to hold. */
async function stalled(pid: number | undefined): Promise<void> {
  const bytesRead = () => /rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
  let before: string | undefined;
  while (before !== bytesRead()) {
    before = bytesRead();
    await sleep(500);
  }
}

describe('a reader that is slow', () => {
  it('holds the stream up, not in memory, and does not stop Ctrl-C', async () => {
    const count = 2000;
    const line = `${'x'.repeat(65_535)}\n`;
    api.script.events = [...Array.from({ length: count }, () => stdout(line)), exit('cancelled')];
    const cli = start('run', 'busybox');
    await started(cli);
    cli.child.stdout?.pause();
    cli.child.kill('SIGINT');
    await vi.waitFor(() => expect(cancels()).toHaveLength(1), { timeout: 60_000 });
    await stalled(cli.child.pid);
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${cli.child.pid}/status`, 'utf8'))?.[1];
    expect(Number(peak) / 1024).toBeLessThan(220);
    cli.child.stdout?.resume();
    const ended = await cli.ended;
    expect(ended.code).toBe(130);
    expect(ended.stdout.length).toBe(count * line.length);
  });
});
