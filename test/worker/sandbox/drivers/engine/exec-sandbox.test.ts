import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import type { ContainerId, ContainerSpec } from '../../../../../services/worker/engine/containers.ts';
import { openExecSandbox } from '../../../../../services/worker/sandbox/drivers/engine/exec-sandbox.ts';
import {
  type InitVolume,
  initVolume,
} from '../../../../../services/worker/sandbox/drivers/engine/init-volume.ts';
import { SandboxLost, StartFailed } from '../../../../../services/worker/sandbox/init/session.ts';
import type { Sandbox } from '../../../../../services/worker/sandbox/sandbox.ts';
import { begin, run, sh, wellEnded } from '../../../../infra/sandbox-init/support.ts';
import { bench, collect } from '../../../engine/support.ts';

const MiB = 1024 * 1024;
const { engine, service } = bench();
const code = (wanted: string) => expect.objectContaining({ name: 'Problem', code: wanted });

let init: InitVolume;
beforeAll(async () => {
  const program = fileURLToPath(new URL('../../../../../infra/sandbox-init/build/init', import.meta.url));
  init = await initVolume(engine, (await engine.info()).architecture, program);
});

/** A service of several processes, one of which is nobody's child but PID 1's. */
const main = 'mkdir -p /tmp/site; (sleep 7001 &); sleep 7002 & echo up; wait; exit 9';

const start = (changes: Partial<ContainerSpec> = {}) =>
  service(['sh', '-c', main], { volumes: [init.init.volume], pids: 100, ...changes });

async function open(id: ContainerId): Promise<Sandbox> {
  const sandbox = await openExecSandbox(engine.containers, id, init.init.path);
  onTestFinished(() => sandbox.remove());
  await sandbox.session.prepare('/tmp/site', []);
  return sandbox;
}

/** The command lines in the container, as PID 1's own tools see them. */
async function processes(id: ContainerId): Promise<string[]> {
  const script = 'for one in /proc/[0-9]*; do tr "\\0" " " < $one/cmdline && echo; done 2>/dev/null';
  const { output } = await engine.containers.exec(id, {
    argv: ['sh', '-c', script],
    user: '',
    workdir: '/',
    env: {},
  });
  const lines = (await collect(output)).stdout.toString().split('\n');
  return lines
    .filter((line) => /^sleep|init|yes/.test(line))
    .map((line) => line.trim())
    .sort();
}

const ofService = ['sleep 7001', 'sleep 7002'];

async function settles(id: ContainerId, wanted: string[]): Promise<void> {
  for (let left = 100; left > 0 && String(await processes(id)) !== String(wanted); left--) await sleep(50);
  expect(await processes(id)).toEqual(wanted);
}

describe('a sandbox within a service', () => {
  it('runs programs as any sandbox does', async () => {
    const { session } = await open(await start());
    expect((await sh(session, 'exit 42')).end).toMatchObject({ cause: 'exited', exitCode: 42, signal: null });
    expect((await sh(session, 'kill -TERM $$')).end).toMatchObject({ exitCode: null, signal: 15 });
    const both = await sh(session, 'echo $A; pwd; id -u; echo err >&2', { env: { A: 'a', PATH: '/bin' } });
    expect([both.text, both.stderr.toString()]).toEqual(['a\n/tmp/site\n0\n', 'err\n']);
    expect((await run(session, ['seq', '20000'])).text.split('\n')).toHaveLength(20_001);

    const data = randomBytes(MiB);
    const cat = begin(session, ['cat'], { stdin: true });
    await cat.stdin.write(data);
    cat.stdin.end();
    expect((await cat.result).stdout.equals(data)).toBe(true);

    const tty = await sh(session, 'stty size; tty', { tty: { cols: 99, rows: 22 } });
    expect(tty.text).toMatch(/^22 99\r\n\/dev\/pts\/\d+\r\n$/);
    const signalled = begin(session, [
      'sh',
      '-c',
      'trap "exit 6" USR1; echo here; while :; do sleep 0.05; done',
    ]);
    await signalled.says('here');
    signalled.signal(10);
    expect((await signalled.result).end).toMatchObject({ exitCode: 6 });
    await expect(run(session, ['no-such-program'])).rejects.toBeInstanceOf(StartFailed);
    expect((await sh(session, 'echo next')).text).toBe('next\n');
  });

  it('holds limits', async () => {
    const id = await start();
    const { session } = await open(id);
    const wall = await sh(session, 'sleep 600 & sleep 600', { wallMs: 200 });
    expect(wall.end).toMatchObject({ cause: 'wall', signal: 9 });
    const cpu = await sh(session, 'while :; do :; done', { cpuMs: 200 });
    expect(cpu.end).toMatchObject({ cause: 'cpu', signal: 9 });
    const output = await sh(session, 'yes & yes >&2', { outputBytes: 1000 });
    expect(output.end).toMatchObject({ cause: 'output', signal: 9 });
    expect(output.stdout.length + output.stderr.length).toBe(1001);
    await settles(id, ['/.runlet/init exec', ...ofService]);
  });

  it('leaves nothing behind, whatever was begun in it, and all of the service as it was', async () => {
    const id = await start();
    const { session } = await open(id);
    const daemon = '(setsid sh -c "sleep 601 & sleep 602" &); sleep 0.1; echo left';
    expect(await sh(session, daemon)).toMatchObject({ text: 'left\n', end: wellEnded });
    expect(await processes(id)).toEqual(['/.runlet/init exec', ...ofService]);
    const bomb = 'bomb() { bomb & bomb & wait; }; bomb 2>/dev/null';
    await sh(session, bomb, { wallMs: 500 });
    expect(await processes(id)).toEqual(['/.runlet/init exec', ...ofService]);
    expect((await sh(session, 'echo next')).text).toBe('next\n');
    expect(await engine.containers.inspect(id)).toMatchObject({ running: true });
  });

  it.each(['kill', 'remove'] as const)('ends with %s, in the midst of a step too', async (how) => {
    const id = await start();
    const sandbox = await open(id);
    const running = begin(sandbox.session, [
      'sh',
      '-c',
      '(setsid sleep 601 &); trap "" HUP TERM; echo here; sleep 602',
    ]);
    await running.says('here');
    expect(await processes(id)).toEqual(['/.runlet/init exec', 'sleep 601', 'sleep 602', ...ofService]);
    await sandbox[how]();
    await sandbox[how]();
    await expect(running.ended).rejects.toBeInstanceOf(SandboxLost);
    await settles(id, ofService);
  });

  it('brings files in and out, and removes them', async () => {
    const id = await start();
    const { session } = await open(id);
    const data = randomBytes(300_000);
    await session.prepare('/tmp/site', [
      { path: 'deep/in.bin', data, mode: 0o640 },
      { path: 'index.html', data: Buffer.from('hello'), mode: 0o644 },
    ]);
    const { files } = await session.list(10);
    expect(files.map(({ path }) => path).sort()).toEqual(['deep/in.bin', 'index.html']);
    const pieces: Buffer[] = [];
    for await (const piece of session.read('deep/in.bin')) pieces.push(Buffer.from(piece));
    expect(Buffer.concat(pieces).equals(data)).toBe(true);
    await session.unlink('index.html');
    await expect(session.unlink('index.html')).rejects.toMatchObject({ what: 'unlink', errno: 2 });
    const seen = await (await open(id)).session.list(10);
    expect(seen.files).toEqual([{ path: 'deep/in.bin', sizeBytes: 300_000, mode: 0o640 }]);
    await session.prepare('/proc/nothing', []);
    await expect(session.list(10)).rejects.toMatchObject({ what: 'workdir' });
  });

  it('is one of several, each of which has its own', async () => {
    const id = await start();
    const [one, two] = await Promise.all([open(id), open(id)]);
    const waiting = begin(one.session, ['sh', '-c', 'sleep 601 & echo here; read line; kill %1; exit 5'], {
      stdin: true,
    });
    await waiting.says('here');
    expect((await sh(two.session, '(setsid sleep 602 &); exit 4')).end).toMatchObject({ exitCode: 4 });
    await two.remove();
    await settles(id, ['/.runlet/init exec', 'sleep 601', ...ofService]);
    await waiting.stdin.write(Buffer.from('go on\n'));
    expect((await waiting.result).end).toMatchObject({ exitCode: 5 });
  });

  it('tells of the memory that its program lacked, which the service does not pay for', async () => {
    const id = await start({ memoryBytes: 32 * MiB });
    const { session } = await open(id);
    const { end } = await sh(session, 'head -c 100m /dev/zero | tail');
    expect(end.exitCode).not.toBe(0);
    expect(end.oomKills).toBeGreaterThan(0);
    expect(await processes(id)).toEqual(['/.runlet/init exec', ...ofService]);
  });

  it('breaks when the service stops, and says why', async () => {
    const id = await start();
    const sandbox = await open(id);
    const running = begin(sandbox.session, ['sh', '-c', 'echo here; sleep 600']);
    await running.says('here');
    await engine.containers.stop(id, 0);
    await expect(running.ended).rejects.toBeInstanceOf(SandboxLost);
    await expect(sandbox.lostBy()).rejects.toEqual(code('container_lost'));
    await expect(sandbox.lostBy()).rejects.toThrow('does not run any more');
    await expect(openExecSandbox(engine.containers, id, init.init.path)).rejects.toEqual(
      code('container_lost'),
    );
    await sandbox.remove();
    await engine.containers.remove(id);
    await expect(sandbox.lostBy()).rejects.toEqual(code('container_lost'));
    await expect(openExecSandbox(engine.containers, id, init.init.path)).rejects.toEqual(
      code('container_lost'),
    );
  });

  it('is not to be had without an init, and says why', async () => {
    const id = await start({ volumes: [] });
    await expect(openExecSandbox(engine.containers, id, init.init.path)).rejects.toEqual(code('internal'));
    await expect(openExecSandbox(engine.containers, id, init.init.path)).rejects.toThrow(
      /\.runlet\/init.*no such file/,
    );
  });
});

/** The lab says so when it has none. */
describe.runIf(inject('lab').gvisor)('a sandbox within a service under gVisor', () => {
  it('ends what it has begun there too', async () => {
    const id = await start({ runtime: 'runsc' });
    const { session } = await open(id);
    const daemon = '(setsid sh -c "sleep 601 & sleep 602" &); sleep 0.2; echo left; exit 3';
    const { end, text } = await sh(session, daemon);
    expect({ ...end, text }).toMatchObject({ cause: 'exited', exitCode: 3, text: 'left\n' });
    expect(await processes(id)).toEqual(['/.runlet/init exec', ...ofService]);
    await session.prepare('/tmp/site', [{ path: 'file', data: Buffer.from('x'), mode: 0o644 }]);
    expect((await session.list(10)).files).toMatchObject([{ path: 'file' }]);
    session.close();
    await settles(id, ofService);
  });
});
