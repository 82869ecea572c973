import { parseFields } from './fields.ts';

/** RFC 9112 §7.1; extensions are nobody's business here. */
const sizeLine = /^([0-9a-f]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/i;
const mostLineBytes = 4_096;
const mostTrailerBytes = 16 * 1024;

/**
 * Reads a chunked body as it comes, in pieces of any size.
 *
 *   size → data → dataEnd → size …          a size of 0: → trailers → done
 */
export class ChunkReader {
  private state: 'size' | 'data' | 'dataEnd' | 'trailers' | 'done' = 'size';
  private line = '';
  private left = 0;
  /** Once it is done. */
  trailers: string[] = [];

  get done(): boolean {
    return this.state === 'done';
  }

  /** How many bytes of `input` are the body's, all unless it is done; -1 for what no chunked body is. */
  read(input: Buffer, take: (data: Buffer) => void): number {
    let at = 0;
    while (at < input.length && this.state !== 'done') {
      if (this.state === 'data') {
        const data = input.subarray(at, at + this.left);
        at += data.length;
        this.left -= data.length;
        if (this.left === 0) this.state = 'dataEnd';
        take(data);
        continue;
      }
      const end = input.indexOf(0x0a, at);
      this.line += input.toString('latin1', at, end === -1 ? input.length : end + 1);
      at = end === -1 ? input.length : end + 1;
      if (this.line.length > (this.state === 'trailers' ? mostTrailerBytes : mostLineBytes)) return -1;
      if (end !== -1 && !this.takeLine()) return -1;
    }
    return at;
  }

  private takeLine(): boolean {
    if (!this.line.endsWith('\r\n')) return false;
    if (this.state === 'trailers') {
      // They are parsed together, when the empty line has come.
      if (this.line !== '\r\n' && !this.line.endsWith('\r\n\r\n')) return true;
      const fields = parseFields(this.line.slice(0, -4), 0);
      this.trailers = fields ?? [];
      this.state = 'done';
      return fields !== undefined;
    }
    const line = this.line.slice(0, -2);
    this.line = '';
    if (this.state === 'dataEnd') {
      this.state = 'size';
      return line === '';
    }
    const size = sizeLine.exec(line)?.[1];
    if (size === undefined) return false;
    this.left = Number.parseInt(size, 16);
    this.state = this.left === 0 ? 'trailers' : 'data';
    return true;
  }
}
