import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ContainerId, ExecSpec } from '../../../services/worker/engine/containers.ts';
import type { OutputChunk } from '../../../services/worker/engine/streams.ts';
import { liveBuffers } from '../../support/memory.ts';
import { bench, collect, docker, serviceSpecFor } from './support.ts';

const { engine, image, service } = bench();
const code = (wanted: string) => expect.objectContaining({ name: 'Problem', code: wanted });
const program = (argv: string[], changes: Partial<ExecSpec> = {}): ExecSpec => ({
  ...{ argv, user: '', workdir: '', env: {} },
  ...changes,
});
const sh = (script: string, changes?: Partial<ExecSpec>) => program(['sh', '-c', script], changes);

/** What it says, its stdin at its end. */
async function said(id: ContainerId, spec: ExecSpec): Promise<{ stdout: string; stderr: string }> {
  const { output, stdin } = await engine.containers.exec(id, spec);
  stdin?.end();
  const { stdout, stderr } = await collect(output);
  return { stdout: stdout.toString(), stderr: stderr.toString() };
}

async function processes(id: ContainerId): Promise<number> {
  return docker('top', id, '-eo', 'pid').trim().split('\n').length - 1;
}

/** Soon, but not at once. */
async function settles(look: () => Promise<number>, wanted: number): Promise<void> {
  for (let left = 100; left > 0 && (await look()) !== wanted; left--) await sleep(50);
  expect(await look()).toBe(wanted);
}

describe('a program in a running container', () => {
  it('has streams of its own, and the container’s user, folder and environment where nothing is said', async () => {
    const id = await service(['sleep', '600'], { workdir: '/tmp', env: { A: 'of the container', B: 'too' } });
    expect(await said(id, sh('echo $A $B; pwd; id -u; echo err >&2'))).toEqual({
      stdout: 'of the container too\n/tmp\n0\n',
      stderr: 'err\n',
    });
    const changes = { user: '33:44', workdir: '/bin', env: { A: 'its own' } };
    expect((await said(id, sh('echo $A $B; pwd; id -u; id -g', changes))).stdout).toBe(
      'its own too\n/bin\n33\n44\n',
    );
  });

  it('gets its stdin to the last byte, and its end, while its output goes on', async () => {
    const id = await service(['sleep', '600']);
    const { output, stdin } = await engine.containers.exec(id, sh('cat; sleep 0.2; echo after'));
    const sent = Buffer.alloc(3_000_000, 'abcdefghijk');
    stdin?.end(sent);
    const { stdout } = await collect(output);
    expect(stdout.equals(Buffer.concat([sent, Buffer.from('after\n')]))).toBe(true);
  });

  it('waits when it writes faster than it is read, and takes no memory for it', async () => {
    const id = await service(['sleep', '600']);
    const total = 50_000_000;
    const { output } = await engine.containers.exec(id, sh(`head -c ${total} /dev/zero`));
    const before = liveBuffers();
    let chunks = 0;
    let read = 0;
    let held = 0;
    for await (const { data } of output as AsyncIterable<OutputChunk>) {
      read += data.length;
      chunks += 1;
      if (chunks > 50) continue;
      // Slow at first, for long enough that everything on the way has filled up.
      await sleep(20);
      held = Math.max(held, liveBuffers() - before);
    }
    expect(read).toBe(total);
    expect(held).toBeLessThan(2 * 1024 * 1024);
  });

  it('hears of the end when its streams are closed', async () => {
    const id = await service(['sleep', '600']);
    const { close, output } = await engine.containers.exec(id, program(['cat']));
    await settles(() => processes(id), 2);
    close();
    await settles(() => processes(id), 1);
    expect(output.destroyed).toBe(true);
  });

  it('ends with the container', async () => {
    const id = await service(['sleep', '600']);
    const { output } = await engine.containers.exec(id, program(['sleep', '600']));
    await engine.containers.stop(id, 0);
    await collect(output);
    await expect(engine.containers.exec(id, program(['true']))).rejects.toEqual(code('container_lost'));
  });

  it('that does not exist says so in its output', async () => {
    const id = await service(['sleep', '600']);
    expect((await said(id, program(['no-such-program']))).stdout).toContain('no-such-program');
  });

  it('is lost without one', async () => {
    await expect(engine.containers.exec('0123456789ab', program(['true']))).rejects.toEqual(
      code('container_lost'),
    );
    const made = serviceSpecFor(await image(), ['true']);
    const id = await engine.containers.create(made);
    await expect(engine.containers.exec(id, program(['true']))).rejects.toEqual(code('container_lost'));
    await expect(
      engine.containers.exec(id, program(['true']), AbortSignal.abort(new Error('enough'))),
    ).rejects.toThrow('enough');
    await engine.containers.remove(id);
  });
});
