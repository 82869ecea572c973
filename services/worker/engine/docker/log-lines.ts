import { wholeCharacters } from '../../../../shared/utf8.ts';
import type { LogLine } from '../containers.ts';
import type { OutputChunk } from '../streams.ts';
import { Demux } from './demux.ts';

const newline = 0x0a;
const space = 0x20;
const pieceMost = 64 * 1024;
/** Longer than any time in RFC 3339. */
const timeMost = 64;

/**
 * Docker's log with timestamps → `LogLine`s. Each frame is a time, a space, and a line; of a long line it is as much as Docker
 * keeps in one piece (16 KiB), without a newline.
 */
export class LogLines extends Demux {
  /** The time of the frame that is being read; `null`: it is complete. */
  #time: string | null = '';
  readonly #lines = { stdout: new Line(), stderr: new Line() };

  readonly #failed: (why: string) => Error;

  constructor(fail: (why: string) => Error = (why) => new Error(why)) {
    super(fail);
    this.#failed = fail;
  }

  protected override frameBegins(): void {
    this.#time = '';
  }

  protected override part({ stream, data }: OutputChunk): void {
    const line = this.#lines[stream];
    let rest = data;
    if (this.#time !== null) {
      const end = rest.indexOf(space);
      this.#time += rest.toString('latin1', 0, end < 0 ? timeMost : end);
      if (this.#time.length >= timeMost) {
        this.destroy(this.#failed('its log has a line without a time'));
        return;
      }
      if (end < 0) return;
      rest = rest.subarray(end + 1);
      line.written(this.#time);
      this.#time = null;
    }
    while (rest.length > 0) {
      const end = rest.indexOf(newline) + 1;
      const piece = rest.subarray(0, Math.min(end || rest.length, line.room));
      rest = rest.subarray(piece.length);
      line.add(piece);
      if (piece.at(-1) === newline) this.#emit(stream);
      else if (line.room === 0) this.#emitFull(stream);
    }
  }

  override _flush(done: (error?: Error | null) => void): void {
    super._flush((error?: Error | null) => {
      for (const stream of ['stdout', 'stderr'] as const)
        if (this.#lines[stream].length > 0) this.#emit(stream);
      done(error);
    });
  }

  #emit(stream: OutputChunk['stream']): void {
    this.push({ stream, ...this.#lines[stream].take() } satisfies LogLine);
  }

  /** The longest piece of a line that is kept. An incomplete character at its end begins the next piece. */
  #emitFull(stream: OutputChunk['stream']): void {
    const line = this.#lines[stream];
    const { data, at } = line.take();
    const whole = wholeCharacters(data);
    this.push({ stream, data: whole, at } satisfies LogLine);
    if (whole.length < data.length) line.add(data.subarray(whole.length));
  }
}

/** A line of which not all has come. */
class Line {
  length = 0;
  #parts: Buffer[] = [];
  #at = '';
  #latest = '';

  get room(): number {
    return pieceMost - this.length;
  }

  written(at: string): void {
    this.#latest = at;
    if (this.length === 0) this.#at = at;
  }

  add(part: Buffer): void {
    if (this.length === 0) this.#at = this.#latest;
    this.#parts.push(part);
    this.length += part.length;
  }

  /** A copy: a line that is kept should not keep the whole buffer in memory. */
  take(): { data: Buffer; at: string } {
    const taken = { data: Buffer.concat(this.#parts), at: this.#at };
    this.#parts = [];
    this.length = 0;
    return taken;
  }
}
