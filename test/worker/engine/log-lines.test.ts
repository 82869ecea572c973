import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogLine } from '../../../services/worker/engine/containers.ts';
import { LogLines } from '../../../services/worker/engine/docker/log-lines.ts';

type Entry = { stream: 1 | 2; text: string };

const time = (n: number) => `2026-01-02T03:04:05.${String(n).padStart(9, '0')}Z`;

/** As Docker sends an entry of its log: one frame, a time in front. */
function frame({ stream, text }: Entry, n: number): Buffer {
  const payload = Buffer.from(`${time(n)} ${text}`);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

function cut(bytes: Buffer, places: number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const read = (pieces: Buffer[]) => Readable.from(pieces).pipe(new LogLines()).toArray() as Promise<LogLine[]>;
const readEntries = (entries: Entry[]) => read([Buffer.concat(entries.map(frame))]);

const shown = ({ stream, data, at }: LogLine) => [stream, data.toString(), at];

describe('a log', () => {
  it('comes by the line, each with the time of its beginning', async () => {
    const lines = await readEntries([
      { stream: 1, text: 'one\n' },
      { stream: 2, text: 'two\n' },
      { stream: 1, text: '\n' },
      { stream: 1, text: 'a\nb\n' },
    ]);
    expect(lines.map(shown)).toEqual([
      ['stdout', 'one\n', time(0)],
      ['stderr', 'two\n', time(1)],
      ['stdout', '\n', time(2)],
      ['stdout', 'a\n', time(3)],
      ['stdout', 'b\n', time(3)],
    ]);
  });

  it('puts together what Docker keeps of a long line in pieces, also with the other stream between them', async () => {
    const lines = await readEntries([
      { stream: 1, text: 'begin ' },
      { stream: 2, text: 'other\n' },
      { stream: 1, text: 'end\n' },
      { stream: 1, text: 'no newline' },
    ]);
    expect(lines.map(shown)).toEqual([
      ['stderr', 'other\n', time(1)],
      ['stdout', 'begin end\n', time(0)],
      ['stdout', 'no newline', time(3)],
    ]);
  });

  it('cuts a line without an end into pieces of 64 KiB', async () => {
    const part: Entry = { stream: 1, text: 'x'.repeat(16_384) };
    const lines = await readEntries([...Array.from({ length: 9 }, () => part), { stream: 1, text: 'y\n' }]);
    expect(lines.map(({ data, at }) => [data.length, at])).toEqual([
      [65_536, time(0)],
      [65_536, time(4)],
      [16_386, time(8)],
    ]);
  });

  it('cuts no character in two', async () => {
    const text = '€'.repeat(30_000);
    const lines = await readEntries([{ stream: 1, text }]);
    expect(lines.map(({ data }) => data.length)).toEqual([65_535, 24_465]);
    for (const { data } of lines) expect(data.equals(Buffer.from(data.toString()))).toBe(true);
    expect(lines.map(({ data }) => data.toString()).join('')).toBe(text);
  });

  it('is the same wherever the connection cut it, with every byte of each stream', async () => {
    const texts = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.string({ maxLength: 40 }).map((text) => `${text}\n`),
      fc.nat({ max: 70_000 }).map((length) => 'z'.repeat(length)),
    );
    const entries = fc.array(fc.record({ stream: fc.constantFrom(1 as const, 2 as const), text: texts }), {
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(entries, fc.array(fc.nat(), { maxLength: 60 }), async (sent, places) => {
        const whole = await readEntries(sent);
        expect((await read(cut(Buffer.concat(sent.map(frame)), places))).map(shown)).toEqual(
          whole.map(shown),
        );
        for (const stream of [1, 2] as const) {
          const written = sent.filter((entry) => entry.stream === stream).map(({ text }) => text);
          const name = stream === 1 ? 'stdout' : 'stderr';
          const got = whole.filter((line) => line.stream === name).map(({ data }) => data);
          expect(Buffer.concat(got).toString() === written.join('')).toBe(true);
          expect(got.every((data) => data.length <= 65_536)).toBe(true);
          expect(got.every((data) => data.indexOf(10) === data.length - 1 || !data.includes(10))).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('fails on a line without a time', async () => {
    const payload = Buffer.alloc(200, 'x');
    const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 200]);
    await expect(read([header, payload])).rejects.toThrow('time');
  });
});
