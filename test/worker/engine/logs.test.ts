import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ContainerId, LogLine } from '../../../services/worker/engine/containers.ts';
import { liveBuffers } from '../../support/memory.ts';
import { bench } from './support.ts';

const { engine, service } = bench();
const code = (wanted: string) => expect.objectContaining({ name: 'Problem', code: wanted });
const all = { tail: 'all', follow: false } as const;

const read = (lines: Readable) => lines.toArray() as Promise<LogLine[]>;
const texts = (lines: LogLine[]) => lines.map(({ stream, data }) => `${stream}: ${data}`);

/** One whose program has ended. */
async function ended(script: string): Promise<ContainerId> {
  const id = await service(['sh', '-c', script]);
  await engine.containers.exit(id);
  return id;
}

describe('a log', () => {
  it('holds the lines of both streams with their times, also when the container has ended', async () => {
    const before = new Date().toISOString();
    const id = await ended('echo one; sleep 0.1; echo two >&2; sleep 0.1; printf "three\\n\\nend"');
    const lines = await read(await engine.containers.logs(id, all));
    // Some Engines end the last line, too.
    expect(texts(lines).map((line) => line.replace(/end\n$/, 'end'))).toEqual([
      'stdout: one\n',
      'stderr: two\n',
      'stdout: three\n',
      'stdout: \n',
      'stdout: end',
    ]);
    const times = lines.map(({ at }) => at);
    for (const at of times) expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    expect([before, ...times].toSorted()).toEqual([before, ...times]);
  });

  it('is read from its end, and from a time', async () => {
    const id = await ended('for n in 1 2 3 4 5; do echo $n; sleep 0.05; done');
    expect(texts(await read(await engine.containers.logs(id, { ...all, tail: 2 })))).toEqual([
      'stdout: 4\n',
      'stdout: 5\n',
    ]);
    expect(await read(await engine.containers.logs(id, { ...all, tail: 0 }))).toEqual([]);
    const lines = await read(await engine.containers.logs(id, all));
    const since = lines[2]?.at ?? '';
    expect(await read(await engine.containers.logs(id, { ...all, since }))).toEqual(lines.slice(2));
    expect(await read(await engine.containers.logs(id, { ...all, since, tail: 1 }))).toEqual(lines.slice(4));
  });

  it('gives long lines whole, in pieces', async () => {
    const id = await ended("head -c 200000 /dev/zero | tr '\\0' x; printf '\\n\\0\\r\\n'");
    const lines = await read(await engine.containers.logs(id, all));
    expect(lines.map(({ data }) => data.length)).toEqual([65_536, 65_536, 65_536, 3_393, 3]);
    expect(lines.at(-1)?.data.toString()).toBe('\0\r\n');
  });

  it('is followed until the program ends, as it writes', async () => {
    const id = await service([
      'sh',
      '-c',
      'echo hello; while ! read line < /tmp/go; do sleep 0.05; done 2>/dev/null; echo $line',
    ]);
    const lines: string[] = [];
    const log = (await engine.containers.logs(id, { tail: 'all', follow: true })) as AsyncIterable<LogLine>;
    for await (const { data } of log) {
      lines.push(data.toString());
      if (lines.length === 1) {
        const { output } = await engine.containers.exec(id, {
          ...{ argv: ['sh', '-c', 'echo went > /tmp/go'], user: '', workdir: '', env: {} },
        });
        output.resume();
      }
    }
    expect(lines).toEqual(['hello\n', 'went\n']);
  });

  it('of a silent program can be followed too, and left', async () => {
    const id = await service(['sleep', '600']);
    const controller = new AbortController();
    const followed = await engine.containers.logs(id, {
      tail: 'all',
      follow: true,
      signal: controller.signal,
    });
    const rest = read(followed);
    controller.abort(new Error('enough'));
    await expect(rest).rejects.toThrow('enough');
    const left = await engine.containers.logs(id, { tail: 'all', follow: true });
    left.destroy();
    await expect(
      engine.containers.logs(id, { ...all, signal: AbortSignal.abort(new Error('before')) }),
    ).rejects.toThrow('before');
  });

  it('keeps no more than it may', async () => {
    const id = await ended(`yes ${'x'.repeat(999)} | head -n 6000; echo end`);
    const lines = await read(await engine.containers.logs(id, all));
    const bytes = lines.reduce((sum, { data }) => sum + data.length, 0);
    expect(bytes).toBeLessThan(2 * 1024 * 1024);
    expect(lines.at(-1)?.data.toString()).toBe('end\n');
  });

  it('that grows faster than it is read takes no memory for it', async () => {
    const id = await service(['yes', '0123456789012345678901234567890123456789'], { cpus: 0.2 });
    const log = await engine.containers.logs(id, { tail: 'all', follow: true });
    const before = liveBuffers();
    let held = 0;
    let read = 0;
    for await (const _ of log) {
      read += 1;
      if (read % 50 !== 0) continue;
      await sleep(20);
      held = Math.max(held, liveBuffers() - before);
      if (read === 2000) break;
    }
    expect(held).toBeLessThan(2 * 1024 * 1024);
  });

  it('of a container that is gone is lost', async () => {
    await expect(engine.containers.logs('0123456789ab', all)).rejects.toEqual(code('container_lost'));
  });
});
