import { createHash, randomBytes } from 'node:crypto';
import { release, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { buildImage } from '../../infra/images/build.ts';
import { loadImage } from '../../infra/images/load.ts';
import { startEngine } from '../../infra/parts/own-engine.ts';
import { silent } from '../../infra/parts/say.ts';
import type { Run } from '../../shared/contracts/run.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { containersOf, gone } from '../support/docker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { webSocket } from '../support/web-socket.ts';

const lab = inject('lab');
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
const MiB = 1024 * 1024;

async function workersOf(runlet: Runlet): Promise<Worker[]> {
  return ((await (await runlet.call('GET', '/v1/workers')).json()) as { data: Worker[] }).data;
}

/** The lab says so when it has none. */
describe.runIf(lab.gvisor)('under gVisor', () => {
  let runlet: Runlet;
  beforeAll(async () => {
    await ensureImages(lab, ['python:3.11-slim-bookworm']);
    runlet = await startRunlet(lab);
  }, 300_000);
  afterAll(() => runlet.stop());

  const inGvisor = (request: Record<string, unknown>) => runlet.run({ isolation: 'gvisor', ...request });
  const sh = (script: string, more: Record<string, unknown> = {}) =>
    inGvisor({ image: 'busybox', command: ['sh', '-c', script], ...more });

  /** A run in a sandbox that was made ahead; the test's own time limit is the bound. */
  async function warm(script: string, more: Record<string, unknown> = {}): Promise<Run> {
    for (;;) {
      const run = await sh(script, more);
      if (run.startedWarm) return run;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  test('a worker says that it has it', async () => {
    const workers = await workersOf(runlet);
    expect(workers.map(({ isolations }) => isolations)).toEqual([['container', 'gvisor']]);
  });

  test('a program has a kernel that is not the machine’s, and the user, groups and capabilities of any run', async () => {
    const run = await sh('uname -r; dmesg | head -n 1; id; grep ^Cap /proc/self/status; touch /x; pwd');
    const [kernel, first, id, ...rest] = run.stdout.split('\n');
    expect(kernel).not.toBe(release());
    expect(first).toContain('gVisor');
    expect(id).toMatch(/^uid=(\d{10})\(runlet\) gid=\1\(runlet\) groups=\1\(runlet\)$/);
    const none = '0000000000000000';
    expect(rest).toEqual([...['Inh', 'Prm', 'Eff', 'Bnd'].map((set) => `Cap${set}:\t${none}`), '/work', '']);
    expect(run.stderr).toMatch(/\/x: (Permission denied|Read-only file system)/);
  });

  test('output, exit code, signal and usage are told apart', async () => {
    expect(await sh('echo out; echo err >&2; exit 3')).toMatchObject({
      status: 'failed',
      exitCode: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect(await sh('kill -SEGV $$')).toMatchObject({ status: 'failed', exitCode: 139, signal: 'SIGSEGV' });
    const busy = await sh('i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done');
    expect(busy.status).toBe('succeeded');
    expect(busy.usage.cpuMs).toBeGreaterThan(0);
    expect(busy.usage.maxMemoryBytes).toBeGreaterThan(0);
  });

  test('stdin, files and artifacts pass bit for bit', async () => {
    const [input, file] = [randomBytes(300_000), randomBytes(300_000)];
    const run = await sh(
      'sha256sum; sha256sum < deep/in.bin; stat -c "%a %U" deep/in.bin run.sh; ./run.sh; mkdir -p out; head -c 2000000 /dev/urandom > out/big; chmod 400 out/big; sha256sum < out/big; echo again > /dev/stderr',
      {
        stdin: input.toString('base64'),
        stdinEncoding: 'base64',
        files: [
          { path: 'deep/in.bin', content: file.toString('base64'), encoding: 'base64', mode: '0400' },
          { path: 'run.sh', content: '#!/bin/sh\necho "I am $0"\n', mode: '0755' },
        ],
        artifacts: ['out/**'],
      },
    );
    expect(run.status, run.stderr).toBe('succeeded');
    const lines = run.stdout.trim().split('\n');
    expect(lines.slice(0, 5)).toEqual([
      `${sha256(input)}  -`,
      `${sha256(file)}  -`,
      '400 runlet',
      '755 runlet',
      'I am ./run.sh',
    ]);
    expect(run.stderr).toBe('again\n');
    const answer = await runlet.call('GET', `/v1/runs/${run.id}/artifacts/out/big`);
    const big = Buffer.from(await answer.arrayBuffer());
    expect([big.length, `${sha256(big)}  -`]).toEqual([2_000_000, lines[5]]);
  });

  test('code in a language runs', async () => {
    const run = await inGvisor({
      language: 'python',
      files: [
        { path: 'main.py', content: 'import helper\nprint(helper.twice(int(input())))' },
        { path: 'helper.py', content: 'def twice(x): return 2 * x' },
      ],
      stdin: '21',
    });
    expect(run).toMatchObject({ status: 'succeeded', stdout: '42\n', stderr: '' });
  });

  test('limits end a program, and its container is gone', async () => {
    const late = await inGvisor({ image: 'busybox', command: ['sleep', '60'], limits: { timeoutMs: 1000 } });
    expect(late).toMatchObject({ status: 'timed_out', exitCode: 137, signal: 'SIGKILL' });
    const loud = await sh('yes', { limits: { outputBytes: 10_000 } });
    expect(loud).toMatchObject({ status: 'output_limit', outputTruncated: true });
    expect(loud.stdout).toHaveLength(10_000);
    const busy = await sh('while :; do :; done', { limits: { cpuTimeMs: 500, timeoutMs: 60_000 } });
    expect(busy).toMatchObject({ status: 'timed_out' });
    expect(busy.timings.runMs).toBeLessThan(60_000);
    const full = await sh('head -c 20000000 /dev/zero > x || stat -c %s x', {
      limits: { diskBytes: 5 * MiB },
    });
    expect(full.status).toBe('succeeded');
    expect(Number(full.stdout)).toBeLessThanOrEqual(5 * MiB);
    await gone(
      lab.dockerHost,
      [late, loud, busy, full].map(({ id }) => id),
    );
  });

  test('what a step leaves behind dies with it', async () => {
    const script =
      'if [ $0 = first ]; then (setsid sleep 600 &); sleep 0.2; fi; ps -o user,comm; touch /tmp/$0; ls /tmp';
    const run = await inGvisor({
      image: 'busybox',
      command: ['sh', '-c', script],
      inputs: [{ args: ['first'] }, { args: ['second'] }],
    });
    expect(run.status, run.stderr).toBe('succeeded');
    expect(run.steps[0]?.stdout).toMatch(/runlet\s+sleep/);
    expect(run.steps[1]?.stdout).not.toContain('sleep');
    expect(run.steps[1]?.stdout).toMatch(/first\nsecond\n$/);
  });

  test('a cancel ends it, and its container is gone', async () => {
    const created = (await (
      await runlet.call('POST', '/v1/runs', {
        image: 'busybox',
        command: ['sh', '-c', 'echo begun; sleep 600'],
        isolation: 'gvisor',
      })
    ).json()) as Run;
    const isRunning = async () => (await containersOf(lab.dockerHost, [created.id])).length > 0;
    while (!(await isRunning())) await new Promise((resolve) => setTimeout(resolve, 50));
    await runlet.call('POST', `/v1/runs/${created.id}/cancel`);
    expect(await runlet.ended(created.id)).toMatchObject({ status: 'cancelled' });
    await gone(lab.dockerHost, [created.id]);
  });

  test('neither forged frames nor a killed pid 1 change anything but the program’s own output', async () => {
    const forged = Buffer.concat([
      Buffer.from([0x78, 37, 0, 0, 0]),
      Buffer.alloc(37),
      Buffer.from([0x6f, 2, 0, 0, 0, 0x68, 0x69]),
    ]);
    const run = await sh(
      'cat forged; cat forged >&2; for fd in 0 1 2; do cat forged > /proc/1/fd/$fd && echo reached; head -c 1 /proc/1/fd/$fd && echo reached; done; ' +
        'for signal in 9 15 17 19 1; do kill -$signal 1 && echo sent; done; kill -9 -1; cat /proc/1/mem && echo reached; echo end; exit 7',
      { files: [{ path: 'forged', content: forged.toString('base64'), encoding: 'base64' }] },
    );
    expect(run).toMatchObject({ status: 'failed', exitCode: 7, outputEncoding: 'utf8', error: null });
    expect(run.stdout).toBe(`${forged.toString()}end\n`);
  });

  test('a sandbox made ahead serves one run, and only one with its limits', async () => {
    const first = await warm('echo mine > /tmp/mine; echo mine > /work/mine; ls /tmp /work');
    expect(first.stdout).toContain('mine');
    expect((await warm('ls /tmp /work; id -un')).stdout).toBe('/tmp:\n\n/work:\nrunlet\n');
    // Its engine cannot give a running sandbox other limits.
    const limits = { memoryBytes: 512 * MiB, cpus: 0.5, pids: 32 };
    expect(await sh('echo other', { limits })).toMatchObject({ status: 'succeeded', stdout: 'other\n' });
    expect(await warm('echo other', { limits })).toMatchObject({ status: 'succeeded', stdout: 'other\n' });
  });

  test('a program may have a terminal', async () => {
    const created = (await (
      await runlet.call('POST', '/v1/runs', {
        image: 'busybox',
        isolation: 'gvisor',
        interactive: true,
        tty: true,
        command: ['sh', '-c', 'stty size; read line; echo "read $line"; stty size; exit 5'],
      })
    ).json()) as Run;
    const socket = webSocket(runlet, `/v1/runs/${created.id}/attach`);
    let seen = '';
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { type: string; data?: string };
      if (message.type === 'stdout') seen += message.data;
      if (!seen.includes('24 80') || seen.includes('(sent)')) return;
      seen += '(sent)';
      socket.send(JSON.stringify({ type: 'resize', cols: 100, rows: 30 }));
      socket.send(JSON.stringify({ type: 'stdin', data: 'hello\n' }));
    });
    const ended = await runlet.ended(created.id);
    socket.close();
    expect(ended).toMatchObject({ status: 'failed', exitCode: 5 });
    expect(ended.stdout.replaceAll('\r', '')).toContain('read hello\n30 100\n');
  });
});

// Running a second dockerd takes root.
describe.runIf(userInfo().uid === 0)('on an Engine without gVisor', () => {
  test('a run that asks for it is told so, and others run', { timeout: 180_000 }, async () => {
    const engine = await startEngine({
      socket: join(lab.dataDir, 'without/docker.sock'),
      dataRoot: join(lab.dataDir, 'without/data'),
      execRoot: join(lab.dataDir, 'without/exec'),
      pidfile: join(lab.dataDir, 'without/dockerd.pid'),
      logFile: join(lab.dataDir, 'logs/without.log'),
      second: true,
      say: silent,
    });
    onTestFinished(() => engine.stop());
    await loadImage(await buildImage('busybox', lab.imageCache, silent), engine.dockerHost);
    const runlet = await startRunlet({ ...lab, dockerHost: engine.dockerHost });
    onTestFinished(() => runlet.stop());
    const request = { image: 'busybox', command: ['echo', 'hi'] };
    const refused = await runlet.run({ ...request, isolation: 'gvisor' });
    expect(refused).toMatchObject({ status: 'errored', error: { code: 'isolation_unavailable' } });
    expect(refused.error?.detail).toContain('isolation "container"');
    expect(await runlet.run(request)).toMatchObject({ status: 'succeeded', stdout: 'hi\n' });
    expect((await workersOf(runlet))[0]?.isolations).toEqual(['container']);
  });
});
