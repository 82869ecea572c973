import { Transform, type TransformCallback } from 'node:stream';
import type { OutputChunk } from '../streams.ts';

const headerBytes = 8;
const names: Record<number, OutputChunk['stream']> = { 0: 'stdout', 1: 'stdout', 2: 'stderr' };

/**
 * Splits Docker's multiplexed output: frames of [stream, 0, 0, 0, length as big-endian u32] and that many bytes.
 * In: the byte stream in any pieces. Out, in object mode: `OutputChunk`s, in order, as they come. A frame is never gathered,
 * so its stated length (up to 4 GiB) costs no memory. Chunks are views of the input, not copies.
 * Fails on a stream in another format, and on an end within a frame.
 */
export class Demux extends Transform {
  readonly #header = Buffer.alloc(headerBytes);
  #headerFilled = 0;
  #stream: OutputChunk['stream'] = 'stdout';
  #remaining = 0;

  readonly #fail: (why: string) => Error;

  constructor(fail: (why: string) => Error = (why) => new Error(why)) {
    super({ readableObjectMode: true, readableHighWaterMark: 4, writableHighWaterMark: 64 * 1024 });
    this.#fail = fail;
    // A reader gets the failure, even a late one. Without a reader it must not end the process.
    this.on('error', () => {});
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#remaining > 0) {
        const data = rest.subarray(0, this.#remaining);
        this.#remaining -= data.length;
        rest = rest.subarray(data.length);
        this.part({ stream: this.#stream, data });
        continue;
      }
      const taken = rest.copy(this.#header, this.#headerFilled, 0, headerBytes - this.#headerFilled);
      this.#headerFilled += taken;
      rest = rest.subarray(taken);
      if (this.#headerFilled < headerBytes) break;
      const stream = names[this.#header[0] ?? -1];
      if (stream === undefined || this.#header.readUIntBE(1, 3) !== 0) {
        done(this.#fail('its output is not in the multiplexed format'));
        return;
      }
      this.#stream = stream;
      this.#remaining = this.#header.readUInt32BE(4);
      this.#headerFilled = 0;
      this.frameBegins();
    }
    done();
  }

  /** For whom frames mean something. */
  protected frameBegins(): void {}

  protected part(chunk: OutputChunk): void {
    this.push(chunk);
  }

  override _flush(done: TransformCallback): void {
    const whole = this.#headerFilled === 0 && this.#remaining === 0;
    done(whole ? null : this.#fail('its output ended in the middle of a frame'));
  }
}
