import { Transform, type TransformCallback } from 'node:stream';
import type { OutputChunk } from '../streams.ts';

const headerBytes = 8;
const names: Record<number, OutputChunk['stream']> = { 0: 'stdout', 1: 'stdout', 2: 'stderr' };

/**
 * Splits Docker's multiplexed output: frames of [stream, 0, 0, 0, length as big-endian u32] and that many bytes.
 * In: any cut of the byte stream. Out, in object mode: `OutputChunk`s, in order, as they come: a frame is never put
 * together, so its claimed length (up to 4 GiB) costs no memory. Chunks are views on what came in, without a copy.
 * Fails on a stream that is no multiplex, and on an end inside of a frame.
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
    // Whoever reads hears of it, late too; a failure that nobody reads does not end the process.
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
