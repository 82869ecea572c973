import { excerpt, parseAnswerFields } from './answer-lines.ts';

/** RFC 9112 §7.1; extensions are ignored. Some servers pad the size with spaces. */
const sizeLine = /^([0-9a-f]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/i;
const maxLineBytes = 4_096;
const maxTrailerBytes = 16 * 1024;

/**
 * Reads the chunked body of an answer, in pieces of any size. Lines may end with LF alone, as in a head: nginx
 * accepts that from upstreams, and the body is written again for the client. Data that is longer or shorter than its size is refused.
 *
 *   size → data → dataEnd → size …          a size of 0: → trailers → done
 */
export class ChunkReader {
  private state: 'size' | 'data' | 'dataEnd' | 'trailers' | 'done' = 'size';
  private line = '';
  private left = 0;
  /** As they came, once it is done. */
  trailers: string[] = [];
  /** Once `read` has answered -1. */
  fault = '';

  get done(): boolean {
    return this.state === 'done';
  }

  /** The last chunk has come: only trailers can follow. */
  get hadLast(): boolean {
    return this.state === 'trailers' || this.state === 'done';
  }

  /** How many bytes of `input` belong to the body: all of them until it is done. -1: this is no chunked body. */
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
      if (this.line.length > (this.state === 'trailers' ? maxTrailerBytes : maxLineBytes))
        return this.refuse(this.line, 'is too long');
      if (end !== -1 && !this.takeLine()) return -1;
    }
    return at;
  }

  private refuse(line: string, why: string): -1 {
    this.fault = `a line of its chunked body, ${excerpt(line)}, ${why}`;
    return -1;
  }

  private takeLine(): boolean {
    if (this.state === 'trailers') {
      // They are parsed together, when the empty line has come.
      if (!/^\r?\n$/.test(this.line) && !this.line.endsWith('\n\n') && !this.line.endsWith('\n\r\n'))
        return true;
      const fields = parseAnswerFields(this.line.replace(/(?:\r?\n)?\r?\n$/, ''), 0, 'trailers');
      if ('fault' in fields) {
        this.fault = fields.fault;
        return false;
      }
      this.trailers = fields;
      this.state = 'done';
      return true;
    }
    const line = this.line.slice(0, this.line.endsWith('\r\n') ? -2 : -1);
    this.line = '';
    if (this.state === 'dataEnd') {
      this.state = 'size';
      if (line !== '') this.refuse(line, 'stands where the end of a chunk should');
      return line === '';
    }
    const size = sizeLine.exec(line)?.[1];
    if (size === undefined) {
      this.refuse(line, 'is no size');
      return false;
    }
    this.left = Number.parseInt(size, 16);
    this.state = this.left === 0 ? 'trailers' : 'data';
    return true;
  }
}
