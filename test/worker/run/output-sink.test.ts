import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createOutputSink } from '../../../services/worker/run/output-sink.ts';
import type { NewEvent } from '../../../shared/stores/runs.ts';
import { wholeCharacters } from '../../../shared/utf8.ts';

type Chunk = { stream: 'stdout' | 'stderr'; data: Buffer };

async function through(chunks: Chunk[], limitBytes: number, stopped = false) {
  const events: NewEvent[] = [];
  let limits = 0;
  const sink = createOutputSink({
    maxBytes: Number.POSITIVE_INFINITY,
    append: async (entries) => {
      await Promise.resolve();
      events.push(...entries);
      return true;
    },
    onLost: () => {
      throw new Error('not lost');
    },
  });
  sink.begin('run', limitBytes, () => {
    limits += 1;
  });
  for (const chunk of chunks) await sink.accept(chunk);
  const { truncated } = sink.endStep({ stopped });
  const { keptBytes, rest } = await sink.end();
  events.push(...rest);
  return { ended: { keptBytes, truncated }, events, limits };
}

const of = (events: NewEvent[], stream: string) =>
  Buffer.concat(events.filter((event) => event.type === stream).map((event) => event.data as Buffer));

const chunk = fc.record({
  stream: fc.constantFrom('stdout' as const, 'stderr' as const),
  data: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

test('keeps exactly the first bytes up to the limit, in order, whatever the chunks; of text that is cut no half a character', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(chunk, { maxLength: 40 }),
      fc.integer({ min: 1, max: 3000 }),
      async (chunks, limit) => {
        const { ended, events, limits } = await through(chunks, limit);
        const total = chunks.reduce((sum, one) => sum + one.data.length, 0);
        let room = limit;
        const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
        for (const one of chunks) {
          kept[one.stream].push(one.data.subarray(0, room));
          room -= Math.min(room, one.data.length);
        }
        const asKept = (bytes: Buffer) => {
          const whole = wholeCharacters(bytes);
          return total > limit && isUtf8(whole) ? whole : bytes;
        };
        const [out, err] = [asKept(Buffer.concat(kept.stdout)), asKept(Buffer.concat(kept.stderr))];
        expect(of(events, 'stdout').equals(out)).toBe(true);
        expect(of(events, 'stderr').equals(err)).toBe(true);
        expect(ended).toEqual({ keptBytes: out.length + err.length, truncated: total > limit });
        expect(limits).toBe(total > limit ? 1 : 0);
      },
    ),
  );
});

test('text is never cut inside a character, whatever the chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.integer({ min: 1, max: 7 }),
      async (text, size) => {
        const bytes = Buffer.from(text.toWellFormed());
        const chunks: Chunk[] = [];
        for (let at = 0; at < bytes.length; at += size)
          chunks.push({ stream: 'stdout', data: bytes.subarray(at, at + size) });
        const { events } = await through(chunks, 1_000_000);
        for (const event of events) {
          expect(() => new TextDecoder('utf-8', { fatal: true }).decode(event.data as Buffer)).not.toThrow();
        }
        expect(of(events, 'stdout').equals(bytes)).toBe(true);
      },
    ),
  );
});

test.each([
  ['a program that ended by itself', false, 'ab\xc5', false],
  ['one that was stopped', true, 'ab', true],
])('the beginning of a character at the end, of %s', async (_, stopped, kept, truncated) => {
  const { ended, events } = await through(
    [
      { stream: 'stdout', data: Buffer.from('ab\xc5', 'latin1') },
      { stream: 'stderr', data: Buffer.from('ž') },
    ],
    1000,
    stopped,
  );
  expect(of(events, 'stdout').toString('latin1')).toBe(kept);
  expect(of(events, 'stderr').toString()).toBe('ž');
  expect(ended).toEqual({ keptBytes: kept.length + 2, truncated });
});

test('what is no text keeps every byte, wherever it is cut', async () => {
  const binary = Buffer.from([0xff, 0x61, 0xc5, 0xbe]);
  const { ended, events } = await through([{ stream: 'stdout', data: binary }], 3);
  expect(of(events, 'stdout')).toEqual(binary.subarray(0, 3));
  expect(ended).toEqual({ keptBytes: 3, truncated: true });
});

test('an entry of text ends with a whole character, however much comes at once', async () => {
  const text = Buffer.from(`a${'€'.repeat(60_000)}`);
  const written = await through([{ stream: 'stdout', data: text }], 10_000_000);
  for (const { data } of written.events) expect(isUtf8(data as Buffer)).toBe(true);
  expect(of(written.events, 'stdout').equals(text)).toBe(true);
});

test('an entry is at most 64 KiB', async () => {
  const { events } = await through([{ stream: 'stdout', data: Buffer.alloc(1_000_000, 'x') }], 10_000_000);
  for (const event of events) expect((event.data as Buffer).length).toBeLessThanOrEqual(65_536);
});

test('a reader that is slow makes the writer wait, and memory stays bounded', async () => {
  let waiting = 0;
  const release: (() => void)[] = [];
  const sink = createOutputSink({
    maxBytes: Number.POSITIVE_INFINITY,
    append: async () => {
      await new Promise<void>((resolve) => release.push(resolve));
      return true;
    },
    onLost: () => {},
  });
  sink.begin('run', 1e9, () => {});
  let accepted = 0;
  const writer = (async () => {
    for (let i = 0; i < 100; i += 1) {
      waiting = i;
      await sink.accept({ stream: 'stdout', data: Buffer.alloc(65_536) });
      accepted += 1;
    }
  })();
  await new Promise((resolve) => setImmediate(resolve));
  expect(accepted).toBeLessThan(10);
  expect(sink.stalled()).toBe(true);
  let written = false;
  const done = writer.finally(() => {
    written = true;
  });
  while (!written) {
    release.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  expect(waiting).toBe(99);
  expect(sink.stalled()).toBe(false);
  const ended = sink.end();
  while (release.length > 0) {
    release.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await ended).keptBytes).toBe(6_553_600);
});

test('each step has its limit and its name, and no step begins inside a character of another', async () => {
  const events: NewEvent[] = [];
  const sink = createOutputSink({
    maxBytes: Number.POSITIVE_INFINITY,
    append: async (entries) => events.push(...entries) > 0,
    onLost: () => {},
  });
  for (const name of ['compile', 'run[0]', 'run[1]']) {
    sink.begin(name, 4, () => {});
    await sink.accept({ stream: 'stdout', data: Buffer.from([0x61, 0x62, 0x63, 0xe2, 0x82, 0xac]) });
    expect(sink.endStep({ stopped: false })).toEqual({ truncated: true });
  }
  const { keptBytes, rest } = await sink.end();
  events.push(...rest);
  expect(keptBytes).toBe(9);
  for (const name of ['compile', 'run[0]', 'run[1]'])
    expect(
      Buffer.concat(events.filter(({ step }) => step === name).map(({ data }) => data as Buffer)),
    ).toEqual(Buffer.from('abc'));
});

test('all steps together keep no more than the run may, and whoever is over it is told', async () => {
  const events: NewEvent[] = [];
  const sink = createOutputSink({
    maxBytes: 10,
    append: async (entries) => events.push(...entries) > 0,
    onLost: () => {},
  });
  const over: string[] = [];
  for (const [name, text] of [
    ['run[0]', 'abcdef'],
    ['run[1]', 'ghijkl'],
    ['run[2]', ''],
    ['run[3]', 'm'],
  ] as const) {
    sink.begin(name, 6, () => over.push(name));
    await sink.accept({ stream: 'stdout', data: Buffer.from(text) });
    sink.endStep({ stopped: false });
  }
  const { keptBytes, rest } = await sink.end();
  expect(of([...events, ...rest], 'stdout').toString()).toBe('abcdefghij');
  expect(keptBytes).toBe(10);
  expect(over).toEqual(['run[1]', 'run[3]']);
});
