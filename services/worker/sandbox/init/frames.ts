import { isUtf8 } from 'node:buffer';

/**
 * The frames between worker and init; see infra/sandbox-init/README.md. Nothing that comes from a container is trusted.
 */

/** An init (or a program in its place) sent something invalid. Its sandbox must not be trusted any more. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation';
}

export type FailedStep = 'workdir' | 'file' | 'exec' | 'start' | 'get' | 'unlink';

export type InitFrame =
  | { type: 'ready'; version: number }
  | { type: 'started' }
  | { type: 'held'; held: boolean }
  | { type: 'failed'; what: FailedStep; errno: number; text: string }
  | { type: 'stdout' | 'stderr' | 'data'; data: Buffer }
  | { type: 'taken'; bytes: number }
  | { type: 'exit'; end: StepEnd }
  /** `bytes`: set if the path is not UTF-8, because then `path` is not exact. */
  | { type: 'entry'; path: string; bytes: Buffer | null; sizeBytes: number; mode: number }
  | { type: 'list_end'; truncated: boolean }
  | { type: 'content'; sizeBytes: number }
  | { type: 'unlinked' }
  | { type: 'broken'; text: string };

/** How a step ended, and what it used. */
export type StepEnd = {
  /** `uncounted`: it held too much kernel memory that the container's limit does not count. */
  cause: 'exited' | 'wall' | 'cpu' | 'output' | 'killed' | 'uncounted';
  /** `null`: it was ended by a signal. */
  exitCode: number | null;
  signal: number | null;
  wallMs: number;
  /** The CPU time of all its processes. */
  cpuMs: number;
  /** The largest resident size of any one of its processes. */
  maxMemoryBytes: number;
  /** Processes that the kernel killed for the memory limit. `null` where that cannot be seen from inside. */
  oomKills: number | null;
};

const headerBytes = 5;
const maxFrameBytes = 64 * 1024;
/** The longest EXEC and HOLD. A longer one ends the sandbox (EXEC_MAX in infra/sandbox-init/wire.h). */
const maxOrderBytes = 4 * 1024 * 1024;
/** The longest path that an init sends. */
const maxPathBytes = 4096;
const failedSteps: FailedStep[] = ['workdir', 'file', 'exec', 'start', 'get', 'unlink'];
const causes: StepEnd['cause'][] = ['exited', 'wall', 'cpu', 'output', 'killed', 'uncounted'];

/**
 * Parses what an init sends, in pieces of any size. Holds no more than one frame. Throws ProtocolViolation. The data of
 * `stdout`, `stderr` and `data` are a view of the input if they are in one piece.
 */
export function createFrameParser(onFrame: (frame: InitFrame) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    let input = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    while (input.length >= headerBytes) {
      const length = input.readUInt32LE(1);
      if (length > maxFrameBytes) throw new ProtocolViolation(`a frame of ${length} bytes`);
      if (input.length < headerBytes + length) break;
      onFrame(parse(input[0] as number, input.subarray(headerBytes, headerBytes + length)));
      input = input.subarray(headerBytes + length);
    }
    // A copy, so that the whole chunk is not kept in memory for its last bytes.
    rest = input.length > 0 ? Buffer.from(input) : input;
  };
}

function parse(type: number, payload: Buffer): InitFrame {
  const exactly = (length: number) => {
    if (payload.length !== length)
      throw new ProtocolViolation(`${String.fromCharCode(type)} of ${payload.length} bytes`);
  };
  const atLeast = (length: number) => {
    if (payload.length < length)
      throw new ProtocolViolation(`${String.fromCharCode(type)} of ${payload.length} bytes`);
  };
  switch (String.fromCharCode(type)) {
    case 'r':
      exactly(1);
      return { type: 'ready', version: payload.readUInt8(0) };
    case 's':
      exactly(0);
      return { type: 'started' };
    case 'h':
      exactly(1);
      return { type: 'held', held: payload.readUInt8(0) === 1 };
    case 'n': {
      atLeast(5);
      const what = failedSteps[payload.readUInt8(0) - 1];
      if (what === undefined) throw new ProtocolViolation('a failure of nothing known');
      return { type: 'failed', what, errno: payload.readUInt32LE(1), text: payload.toString('utf8', 5) };
    }
    case 'o':
      return { type: 'stdout', data: payload };
    case 'e':
      return { type: 'stderr', data: payload };
    case 'd':
      return { type: 'data', data: payload };
    case 't':
      exactly(4);
      return { type: 'taken', bytes: payload.readUInt32LE(0) };
    case 'x':
      exactly(37);
      return { type: 'exit', end: parseEnd(payload) };
    case 'l': {
      atLeast(13);
      if (payload.length > 12 + maxPathBytes) throw new ProtocolViolation('a path beyond all bounds');
      const bytes = payload.subarray(12);
      return {
        type: 'entry',
        mode: payload.readUInt32LE(0) & 0o777,
        // Any program can make a sparse file of an enormous size. The size is capped, and is still too large for every
        // reader.
        sizeBytes: Math.min(Number(payload.readBigUInt64LE(4)), Number.MAX_SAFE_INTEGER),
        path: bytes.toString('utf8'),
        bytes: isUtf8(bytes) ? null : Buffer.from(bytes),
      };
    }
    case 'z':
      exactly(1);
      return { type: 'list_end', truncated: payload.readUInt8(0) !== 0 };
    case 'a':
      exactly(8);
      return { type: 'content', sizeBytes: size(payload, 0) };
    case 'u':
      exactly(0);
      return { type: 'unlinked' };
    case 'b':
      return { type: 'broken', text: payload.toString('utf8', 0, 1024) };
    default:
      throw new ProtocolViolation(`a frame of the unknown type ${type}`);
  }
}

function size(payload: Buffer, at: number): number {
  const value = Number(payload.readBigUInt64LE(at));
  if (!Number.isSafeInteger(value)) throw new ProtocolViolation('a size beyond all bounds');
  return value;
}

function parseEnd(payload: Buffer): StepEnd {
  const cause = causes[payload.readUInt8(0)];
  if (cause === undefined) throw new ProtocolViolation('an end of no known cause');
  const code = payload.readInt32LE(1);
  const signal = payload.readInt32LE(5);
  const oomKills = payload.readInt32LE(33);
  // Exactly one of the two is true: the step exited with a code of one byte, or a signal ended it.
  if (code === -1 ? signal < 1 || signal > 64 : code < 0 || code > 255 || signal !== 0)
    throw new ProtocolViolation(`an end with code ${code} and signal ${signal}`);
  return {
    cause,
    exitCode: code === -1 ? null : code,
    signal: code === -1 ? signal : null,
    wallMs: size(payload, 9) / 1000,
    cpuMs: size(payload, 17) / 1000,
    maxMemoryBytes: size(payload, 25),
    oomKills: oomKills < 0 ? null : oomKills,
  };
}

/** A frame to the init. */
export function frame(type: string, ...parts: Buffer[]): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  header.write(type, 0, 'latin1');
  header.writeUInt32LE(
    parts.reduce((sum, part) => sum + part.length, 0),
    1,
  );
  return Buffer.concat([header, ...parts]);
}

/** For an EXEC or HOLD: their strings come from the caller and may be of any length. No other frame can be too long. */
export const canBeSent = (order: Buffer): boolean => order.length - headerBytes <= maxOrderBytes;

/** Splits data into as many frames of this type as are needed. */
export function* dataFrames(type: string, data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += maxFrameBytes)
    yield frame(type, data.subarray(at, at + maxFrameBytes));
}

/** A bit in the mode of a FILE: an existing file or link of that name is removed first, but not a folder. */
export const fileReplaces = 1 << 16;

export function u32(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(4);
  buffer.writeUInt32LE(Math.min(value, 0xffff_ffff));
  return buffer;
}

export function u64(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

export function u16(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(2);
  buffer.writeUInt16LE(Math.min(value, 0xffff));
  return buffer;
}
