import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Demux } from '../../../services/worker/engine/docker/demux.ts';
import type { OutputChunk } from '../../../services/worker/engine/streams.ts';
import { collect } from './support.ts';

type Frame = { stream: 1 | 2; data: Uint8Array };

function header(stream: number, length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes[0] = stream;
  bytes.writeUInt32BE(length, 4);
  return bytes;
}

const encode = (frames: Frame[]) =>
  Buffer.concat(frames.flatMap(({ stream, data }) => [header(stream, data.length), Buffer.from(data)]));

/** Cuts a buffer at the given places. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const frames = fc.array(
  fc.record({ stream: fc.constantFrom(1 as const, 2 as const), data: fc.uint8Array({ maxLength: 300 }) }),
  { maxLength: 30 },
);

describe('demux', () => {
  it('gives every byte of each stream in order, wherever the connection cut the frames', async () => {
    await fc.assert(
      fc.asyncProperty(frames, fc.array(fc.nat(), { maxLength: 60 }), async (sent, places) => {
        const output = Readable.from(cut(encode(sent), places)).pipe(new Demux());
        const got = await collect(output);
        const of = (stream: 1 | 2) =>
          Buffer.concat(sent.filter((frame) => frame.stream === stream).map(({ data }) => data));
        expect(got.stdout.equals(of(1)) && got.stderr.equals(of(2))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps the order of the two streams among each other', async () => {
    const sent: Frame[] = [1, 2, 2, 1, 2].map((stream, n) => ({
      stream: stream as 1 | 2,
      data: Buffer.from(`${n}`),
    }));
    const got: string[] = [];
    for await (const chunk of Readable.from([encode(sent)]).pipe(new Demux()) as AsyncIterable<OutputChunk>)
      got.push(`${chunk.stream}${chunk.data}`);
    expect(got).toEqual(['stdout0', 'stderr1', 'stderr2', 'stdout3', 'stderr4']);
  });

  it('hands a frame that claims 4 GiB on piece by piece', async () => {
    const demux = new Demux();
    const seen: number[] = [];
    demux.on('data', (chunk: OutputChunk) => seen.push(chunk.data.length));
    demux.write(header(1, 0xffffffff));
    for (let n = 0; n < 10; n++) demux.write(Buffer.alloc(1000));
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual(Array.from({ length: 10 }, () => 1000));
    demux.destroy();
  });

  it('stops taking bytes when its reader does', async () => {
    const demux = new Demux();
    const piece = Buffer.concat([header(1, 32_768), Buffer.alloc(32_768)]);
    let taken = 0;
    while (taken < 1000 && demux.write(piece)) {
      taken += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(taken).toBeLessThan(10);
    demux.destroy();
  });

  it.each([
    ['an unknown stream', Buffer.concat([header(7, 1), Buffer.from('x')])],
    ['no frames at all', Buffer.from('plain text of a terminal')],
    ['an end inside of a header', header(1, 3).subarray(0, 5)],
    ['an end inside of a frame', Buffer.concat([header(2, 3), Buffer.from('ab')])],
  ])('fails on %s', async (_what, bytes) => {
    await expect(
      pipeline(Readable.from([bytes]), new Demux(), async (source) => collect(source)),
    ).rejects.toThrow();
  });
});
