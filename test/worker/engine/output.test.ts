import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContainerId } from '../../../services/worker/engine/containers.ts';
import type { Attachment, OutputChunk } from '../../../services/worker/engine/streams.ts';
import { liveBuffers } from '../../support/memory.ts';
import { bench, collect, probeImage } from './support.ts';

const { engine, spec, run } = bench();

async function started(
  fields: Record<string, unknown>,
): Promise<{ id: ContainerId; attachment: Attachment; exited: Promise<{ exitCode: number }> }> {
  const id = await engine.containers.create(await spec(fields));
  const attachment = await engine.containers.attach(id, { stdin: fields.stdin !== undefined });
  await engine.containers.start(id);
  const exited = engine.containers.exit(id);
  exited.catch(() => {});
  return { id, attachment, exited };
}

describe('output', () => {
  let probe: ReturnType<typeof probeImage>;
  beforeAll(() => {
    probe = probeImage('interleave');
  });
  afterAll(() => probe.remove());

  it('arrives whole, each stream in order, when a program writes to both in turns and ends at once', async () => {
    const rounds = 20_000;
    const { stdout, stderr, exitCode } = await run({ image: probe.reference, command: [String(rounds)] });
    const lines = (stream: string) => Array.from({ length: rounds }, (_, n) => `${stream} ${n}\n`).join('');
    expect(exitCode).toBe(0);
    expect(stdout === lines('out') && stderr === lines('err')).toBe(true);
  });

  it('loses no byte of a program that only speaks and ends', async () => {
    for (let n = 0; n < 10; n++)
      expect((await run({ command: ['echo', 'first and last'] })).stdout).toBe('first and last\n');
  });

  it('keeps bytes that are no text as they are', async () => {
    const { id, attachment, exited } = await started({
      command: ['sh', '-c', 'head -c 300000 /dev/urandom | tee /work/x; sha256sum < /work/x >&2'],
    });
    const { stdout, stderr } = await collect(attachment.output);
    await exited;
    await engine.containers.remove(id);
    expect(stdout.length).toBe(300_000);
    expect(stderr.toString()).toContain(createHash('sha256').update(stdout).digest('hex'));
  });

  it('makes a program wait that writes faster than it is read, and takes no memory for it', async () => {
    const total = 100_000_000;
    const { id, attachment, exited } = await started({ command: ['sh', '-c', `head -c ${total} /dev/zero`] });
    const before = liveBuffers();
    let read = 0;
    let held = 0;
    for await (const { data } of attachment.output as AsyncIterable<OutputChunk>) {
      read += data.length;
      if (read > 3_000_000) continue;
      // Slow at first, for long enough that everything on the way has filled up.
      await sleep(20);
      held = Math.max(held, liveBuffers() - before);
    }
    expect((await exited).exitCode).toBe(0);
    await engine.containers.remove(id);
    expect(read).toBe(total);
    expect(held).toBeLessThan(2 * 1024 * 1024);
  });

  it('ends when the program is killed while no one reads, and gives what was on its way', async () => {
    const { id, attachment, exited } = await started({ command: ['yes'] });
    await new Promise((resolve) => attachment.output.once('readable', resolve));
    // Docker tells of the death only when the output has been taken: reading begins after the kill was sent, not answered.
    const killed = engine.containers.kill(id, 'SIGKILL');
    const { stdout } = await collect(attachment.output);
    await killed;
    expect(stdout.length).toBeGreaterThan(0);
    expect((await exited).exitCode).toBe(137);
    await engine.containers.remove(id);
  });

  it('stops with close, whatever is still on its way', async () => {
    const { id, attachment, exited } = await started({ command: ['yes'] });
    await new Promise((resolve) => attachment.output.once('readable', resolve));
    attachment.close();
    await engine.containers.remove(id);
    await exited.catch(() => {});
    expect(attachment.output.destroyed).toBe(true);
  });
});

describe('stdin', () => {
  it('reaches the program to the last byte, and its end too, while output goes on', async () => {
    const text = 'x'.repeat(3_000_000);
    const { id, attachment, exited } = await started({
      stdin: text,
      command: ['sh', '-c', 'wc -c; sleep 0.3; echo after'],
    });
    attachment.stdin?.end(text);
    const { stdout } = await collect(attachment.output);
    expect((await exited).exitCode).toBe(0);
    await engine.containers.remove(id);
    expect(stdout.toString()).toBe('3000000\nafter\n');
  });

  it('comes back as it went, in both directions at once', async () => {
    const { id, attachment, exited } = await started({ stdin: '', command: ['cat'] });
    const sent = Buffer.alloc(5_000_000, 'abcdefghijk');
    attachment.stdin?.end(sent);
    const { stdout } = await collect(attachment.output);
    await exited;
    await engine.containers.remove(id);
    expect(stdout.equals(sent)).toBe(true);
  });

  it('that the program does not read harms neither its output nor its end', async () => {
    const { id, attachment, exited } = await started({
      stdin: '',
      command: ['sh', '-c', 'head -c 1 >/dev/null; head -c 2000000 /dev/zero; echo said >&2'],
    });
    attachment.stdin?.end(Buffer.alloc(20_000_000, 'z'));
    const { stdout, stderr } = await collect(attachment.output);
    expect((await exited).exitCode).toBe(0);
    await engine.containers.remove(id);
    expect({ bytes: stdout.length, said: stderr.toString() }).toEqual({ bytes: 2_000_000, said: 'said\n' });
    attachment.close();
  });

  it('of no bytes is an end at once', async () => {
    const { stdout } = await run({ stdin: '', command: ['sh', '-c', 'cat; echo end'] });
    expect(stdout).toBe('end\n');
  });
});
