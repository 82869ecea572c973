import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OutputChunk } from '../../../services/worker/engine/streams.ts';
import {
  createFrameParser,
  frame,
  type InitFrame,
  ProtocolViolation,
  u16,
  u32,
  u64,
} from '../../../services/worker/sandbox/init/frames.ts';
import {
  createInitSession,
  SandboxLost,
  StartFailed,
} from '../../../services/worker/sandbox/init/session.ts';
import { buildSanitized, canRun, type Launcher, launcher, places, step } from './support.ts';

/** The same cases each time: what fails once can be looked at again. */
const seed = 20_250_101;

const anyNumber = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 255, 4096, 65_535, 65_536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
  fc.nat(100_000),
);
const anyBytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));

type Mutation = {
  kind: 'flip' | 'set' | 'cut' | 'double' | 'insert';
  at: number;
  length: number;
  bytes: Buffer;
};
const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('flip', 'set', 'cut', 'double', 'insert'),
  at: fc.nat(),
  length: fc.integer({ min: 1, max: 64 }),
  bytes: anyBytes(8),
});

function mutate(input: Buffer, { kind, at: anywhere, length, bytes }: Mutation): Buffer {
  const at = anywhere % (input.length + 1);
  const [before, after] = [input.subarray(0, at), input.subarray(at)];
  switch (kind) {
    case 'flip':
      return Buffer.concat([
        before,
        after.subarray(0, 1).map((byte) => byte ^ (1 << (length % 8))),
        after.subarray(1),
      ]);
    case 'set':
      return Buffer.concat([before, bytes.subarray(0, after.length), after.subarray(bytes.length)]);
    case 'cut':
      return Buffer.concat([before, after.subarray(length)]);
    case 'double':
      return Buffer.concat([before, after.subarray(0, length), after]);
    case 'insert':
      return Buffer.concat([before, bytes, after]);
  }
}

/** As much as a frame holds. */
const largest = Buffer.alloc(64 * 1024, 'x');

function parseAll(chunks: Buffer[]): InitFrame[] {
  const frames: InitFrame[] = [];
  const parse = createFrameParser((one) => {
    // Views of what was given are to be used at once.
    frames.push('data' in one ? { ...one, data: Buffer.from(one.data) } : one);
  });
  for (const chunk of chunks) parse(chunk);
  return frames;
}

describe.skipIf(!canRun).each(places)('an init built to notice its own mistakes, $place,', ({ beside }) => {
  /** Most of it is the same in both places. */
  const runs = (count: number) => (beside ? Math.ceil(count / 3) : count);
  let folder: string;
  let inits: Launcher;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sandbox-init-fuzz-'));
    inits = launcher({ program: buildSanitized(folder), sizeBytes: 1024 * 1024, beside });
  });
  afterAll(() => {
    inits?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const plainPath = fc.oneof(
    fc.constantFrom('a', 'a/b', 'a/b/c', 'x'.repeat(255), 'x'.repeat(256), `${'d/'.repeat(70)}f`),
    fc.constantFrom(`${'long/'.repeat(1200)}f`, '...', ' ', 'ü\n'),
    // With it a WORKDIR is as long as a frame may be.
    fc.constant('y'.repeat(65_521)),
  );
  const path = fc.oneof(
    plainPath,
    fc.constantFrom('..', '', '/', 'a//b', './a', 'a/../b', 'a\0b'),
    fc.string({ maxLength: 40 }),
  );
  /** Of a folder that no other user could make one in: whatever becomes of it, nothing outside is touched. */
  const workdir = (one: string) => frame('W', Buffer.from(`/proc/self/cwd/${one}`));
  const program = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.constantFrom(['true'], ['echo', 'hi'], ['cat'], ['sh', '-c', 'sleep 1 & exit 3']),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(['yes'], ['sh', '-c', 'kill -9 $$'], ['sh', '-c', 'echo e >&2; sleep 1']),
    },
    { weight: 1, arbitrary: fc.constantFrom([''], ['/'], ['nothing-of-this-name'], ['./a']) },
  );

  const file = (name: string, mode: number, data: Buffer) =>
    Buffer.concat([frame('F', u32(mode), u64(data.length), Buffer.from(name)), frame('D', data)]);
  const made = (mode: number, name: string) => frame('M', u32(mode), Buffer.from(name));
  const timeOf = (seconds: number, name: string) => frame('T', u64(seconds), Buffer.from(name));
  /** No string that is ended by a NUL holds one. */
  const link = (type: 'Y' | 'N', name: string, target: string) =>
    frame(type, Buffer.from([name, target].map((one) => `${one.slice(0, 30_000)}\0`).join('')));
  const ordered = (flags: number, ...until: string[]) =>
    fc
      .record({
        flags: fc.nat(flags),
        stack: fc.option(fc.constantFrom(0n, 1n, 65_536n, 1n << 33n, 0xffff_ffff_ffff_ffffn)),
        wallMs: fc.constantFrom(0, 20, 1000, 0xffff_ffff),
        cpuMs: fc.constantFrom(0, 0, 10, 0xffff_ffff),
        outputBytes: fc.constantFrom(0n, 1n, 5000n, 0xffff_ffff_ffff_ffffn),
        argv: program,
        env: fc.constantFrom([], ['PATH=/usr/bin:/bin'], ['PATH='], ['PATH=:', '=', 'A=b']),
      })
      .map(({ flags, stack, wallMs, cpuMs, outputBytes, argv, env }) => {
        const strings = Buffer.from([...argv, ...env, ...until].map((text) => `${text}\0`).join(''));
        const bound = Buffer.alloc(8);
        bound.writeBigUInt64LE(outputBytes);
        const counts = [u32(argv.length), u32(env.length)];
        const type = until.length > 0 ? 'H' : 'E';
        const ofStack = Buffer.alloc(stack === null ? 0 : 8);
        if (stack !== null) ofStack.writeBigUInt64LE(stack);
        const fixed = [
          u32(stack === null ? flags : flags | 16),
          u32(wallMs),
          u32(cpuMs),
          bound,
          u16(80),
          u16(24),
        ];
        return frame(type, ...fixed, ...counts, ofStack, strings);
      });
  // 8: the program that is held, if there is one.
  const exec = fc.tuple(ordered(3), fc.boolean()).map(([one, held]) => {
    if (held) one.writeUInt32LE(one.readUInt32LE(5) | 8, 5);
    return one;
  });
  const hold = fc
    .constantFrom('./a', 'nothing-of-this-name', '/dev/null')
    .chain((until) => ordered(2, until))
    .map((one) => {
      // Without a terminal.
      one.writeUInt32LE(one.readUInt32LE(5) & ~1, 5);
      return one;
    });
  const content = fc.oneof(
    { weight: 5, arbitrary: anyBytes(3000) },
    { weight: 1, arbitrary: fc.constant(largest) },
  );
  const betweenSteps = (paths: fc.Arbitrary<string>) =>
    fc.oneof(
      { weight: 3, arbitrary: fc.tuple(paths, anyNumber, content).map((one) => file(...one)) },
      { weight: 1, arbitrary: paths.map(workdir) },
      { weight: 1, arbitrary: anyNumber.map((most) => frame('L', u32(most))) },
      { weight: 1, arbitrary: paths.map((one) => frame('G', Buffer.from(one))) },
      { weight: 1, arbitrary: paths.map((one) => frame('U', Buffer.from(one))) },
      { weight: 1, arbitrary: fc.tuple(anyNumber, paths).map(([mode, one]) => made(mode, one)) },
      { weight: 1, arbitrary: fc.tuple(paths, paths).map((both) => link('Y', ...both)) },
      { weight: 1, arbitrary: fc.tuple(paths, paths).map((both) => link('N', ...both)) },
      { weight: 1, arbitrary: fc.tuple(anyNumber, paths).map(([time, one]) => timeOf(time, one)) },
      // Beside a service nothing is held.
      { weight: beside ? 0 : 1, arbitrary: hold },
    );
  const anyTime = fc.oneof(
    { weight: 3, arbitrary: anyBytes(5000).map((data) => frame('I', data)) },
    { weight: 1, arbitrary: fc.constantFrom(frame('Z'), frame('K')) },
    { weight: 1, arbitrary: fc.nat(255).map((number) => frame('S', Buffer.from([number]))) },
    {
      weight: 1,
      arbitrary: fc.tuple(anyNumber, anyNumber).map(([cols, rows]) => frame('R', u16(cols), u16(rows))),
    },
  );
  const oneStep = fc
    .tuple(exec, fc.array(anyTime, { maxLength: 5 }))
    .map(([first, during]) => Buffer.concat([first, ...during, frame('K')]));
  /** Each on its own is well formed. */
  const valid = fc.oneof(
    { weight: 1, arbitrary: exec },
    { weight: 1, arbitrary: anyTime },
    { weight: 2, arbitrary: betweenSteps(path) },
  );

  /** What an init makes of this; a hang fails the test. With `orderly` each step is waited for. */
  async function feed(pieces: Buffer[], orderly = false): Promise<number | null> {
    const { child, exited } = inits.launch();
    const closed = once(child, 'close');
    const frames: InitFrame[] = [];
    let steps = 0;
    let news = Promise.withResolvers<void>();
    const parse = createFrameParser((one) => {
      frames.push({ ...one });
      if (one.type === 'exit' || (one.type === 'failed' && one.what === 'exec')) steps -= 1;
      news.resolve();
      news = Promise.withResolvers();
    });
    const complaint: Buffer[] = [];
    let violation: unknown;
    child.stdout.on('data', (data: Buffer) => {
      try {
        parse(data);
      } catch (error) {
        violation ??= error;
      }
    });
    child.stderr.on('data', (data: Buffer) => complaint.push(data));
    // It may end before it has read all.
    child.stdin.on('error', () => {});
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    for (const piece of pieces) {
      child.stdin.write(piece);
      if (orderly && piece[0] === 'E'.charCodeAt(0)) steps += 1;
      while (steps > 0 && child.exitCode === null && child.signalCode === null)
        await Promise.race([news.promise, exited]);
    }
    child.stdin.end();
    const code = await exited;
    // The last of its output included.
    await closed;
    clearTimeout(late);
    expect(Buffer.concat(complaint).toString()).toBe('');
    expect(violation).toBeUndefined();
    // `null`: it hung, and was killed.
    expect([0, 70]).toContain(code);
    if (frames.length > 0) expect(frames[0]).toEqual({ type: 'ready', version: 1 });
    expect(frames.filter(({ type }) => type === 'broken')).toHaveLength(code === 70 ? 1 : 0);
    return code;
  }

  const options = { seed, endOnFailure: true };

  test('takes any orderly sequence to its end', async () => {
    const pieces = fc.array(fc.oneof(oneStep, betweenSteps(plainPath), anyTime), { maxLength: 25 });
    const cases = fc.asyncProperty(pieces, async (all) => {
      expect(await feed(all, true)).toBe(0);
    });
    await fc.assert(cases, { ...options, numRuns: runs(120) });
  });

  test('takes valid frames in any order', async () => {
    const cases = fc.asyncProperty(fc.array(valid, { maxLength: 12 }), async (all) => void (await feed(all)));
    await fc.assert(cases, { ...options, numRuns: runs(60) });
  });

  test('takes mutated frames', async () => {
    const cases = fc.asyncProperty(
      fc.array(fc.tuple(valid, fc.option(mutation, { freq: 3 })), { minLength: 1, maxLength: 15 }),
      async (pieces) =>
        void (await feed(pieces.map(([one, change]) => (change === null ? one : mutate(one, change))))),
    );
    await fc.assert(cases, { ...options, numRuns: runs(150) });
  });

  test('takes frames of any type, length and content', async () => {
    const type = fc.constantFrom(...'WFDMYNTEHIZSRKLGUrsxob\0');
    const any = fc
      .tuple(type, fc.oneof(fc.constant(null), anyNumber), anyBytes(200))
      .map(([one, length, data]) => {
        const whole = frame(one, data);
        if (length !== null) whole.writeUInt32LE(length, 1);
        return whole;
      });
    const cases = fc.asyncProperty(
      fc.array(fc.oneof(any, anyBytes(100)), { maxLength: 6 }),
      async (pieces) => void (await feed(pieces)),
    );
    await fc.assert(cases, { ...options, numRuns: runs(100) });
  });
});

const ready = frame('r', Buffer.from([1]));
const anyEnd = fc
  .tuple(fc.nat(5), fc.integer({ min: -2, max: 256 }), fc.integer({ min: -1, max: 65 }), anyNumber)
  .map(([cause, code, signal, number]) => {
    const payload = Buffer.alloc(37);
    payload[0] = cause;
    payload.writeInt32LE(code, 1);
    payload.writeInt32LE(code === -1 ? signal : 0, 5);
    for (const at of [9, 17, 25]) payload.writeBigUInt64LE(BigInt(number), at);
    return frame('x', payload);
  });
/** What an init might say, and what it never would. */
const anyInitFrame = fc.oneof(
  { weight: 3, arbitrary: fc.constant(frame('s')) },
  { weight: 1, arbitrary: fc.nat(1).map((held) => frame('h', Buffer.from([held]))) },
  { weight: 3, arbitrary: anyEnd },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom('o', 'e', 'd'), anyBytes(300))
      .map(([type, data]) => frame(type, data)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(7), anyNumber, anyBytes(20))
      .map(([what, errno, text]) => frame('n', Buffer.from([what]), u32(errno), text)),
  },
  { weight: 2, arbitrary: anyNumber.map((bytes) => frame('t', u32(bytes))) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(anyNumber, anyNumber, anyBytes(20))
      .map(([mode, size, path]) => frame('l', u32(mode), u64(size), path)),
  },
  { weight: 2, arbitrary: fc.nat(1).map((more) => frame('z', Buffer.from([more]))) },
  { weight: 2, arbitrary: fc.oneof(fc.nat(600), anyNumber).map((size) => frame('a', u64(size))) },
  { weight: 1, arbitrary: fc.constantFrom(ready, frame('u'), frame('b', Buffer.from('why'))) },
  { weight: 1, arbitrary: anyBytes(40) },
);

describe('the parser of an init’s frames', () => {
  const outcome = (chunks: Buffer[]) => {
    try {
      return parseAll(chunks);
    } catch (error) {
      expect(error).toBeInstanceOf(ProtocolViolation);
      return (error as Error).message;
    }
  };

  const inPieces = (whole: Buffer, cuts: number[]): Buffer[] => {
    const at = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length];
    // Each a copy of its own: a piece never shares memory with the next.
    return at.slice(1).map((end, i) => Buffer.from(whole.subarray(at[i], end)));
  };

  test('makes the same of any chunking', () => {
    fc.assert(
      fc.property(
        fc.array(anyInitFrame, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (frames, cuts) => {
          const whole = Buffer.concat(frames);
          const expected = outcome([whole]);
          expect(outcome(inPieces(whole, cuts))).toEqual(expected);
          expect(outcome([...whole].map((byte) => Buffer.from([byte])))).toEqual(expected);
        },
      ),
      { seed, numRuns: 300 },
    );
  });

  test('throws ProtocolViolation at garbage, and nothing else', () => {
    const garbage = fc.oneof(
      anyBytes(500),
      fc
        .tuple(fc.array(anyInitFrame, { maxLength: 5 }), fc.array(mutation, { maxLength: 3 }))
        .map(([frames, changes]) => changes.reduce(mutate, Buffer.concat(frames))),
    );
    fc.assert(
      fc.property(fc.array(garbage, { maxLength: 5 }), (chunks) => void outcome(chunks)),
      { seed, numRuns: 3000 },
    );
  });

  test('holds no more than one frame', () => {
    const parse = createFrameParser(() => {});
    expect(() => parse(Buffer.from('6f01000100', 'hex'))).toThrow(ProtocolViolation);
    expect(outcome([frame('l', u32(0), u64(0), Buffer.alloc(4097, 'x'))])).toBe('a path beyond all bounds');
  });
});

describe('the worker’s side of a session, with a hostile peer', () => {
  /** A peer that says what it is told to, and takes its input or does not. */
  function peer(takesInput: boolean) {
    const output = new Readable({ objectMode: true, highWaterMark: 1, read() {} });
    const stdin = new Writable({ write: (_data, _encoding, done) => (takesInput ? done() : undefined) });
    const close = () => {
      output.destroy();
      stdin.destroy();
    };
    const say = (data: Buffer) => {
      if (!output.destroyed) output.push({ stream: 'stdout', data } satisfies OutputChunk);
    };
    return { attachment: { output, stdin, close }, say, output, stdin };
  }

  const known = (error: unknown) => {
    if (error instanceof StartFailed || error instanceof SandboxLost) return;
    // One thing at a time: said at once, and to the one who asked.
    if (error instanceof Error && error.message === 'an init does one thing at a time') return;
    throw error;
  };
  const settled = (work: Promise<unknown>) => work.then(() => {}, known);

  type Session = ReturnType<typeof createInitSession>;
  const doings: Record<string, (session: Session) => Promise<void>> = {
    async exec(session) {
      const running = session.exec(step(['x'], { stdin: true }), () => turn());
      running.resize(1, 2);
      running.signal(15);
      const written = running.stdin.write(Buffer.alloc(600_000));
      running.stdin.end();
      await Promise.all([settled(running.started), settled(running.ended), settled(written)]);
    },
    async kill(session) {
      const running = session.exec(step(['x']), () => {});
      running.kill();
      await settled(running.ended);
    },
    list: (session) => settled(session.list(3)),
    unlink: (session) => settled(session.unlink('x')),
    async read(session) {
      for await (const piece of session.read('x')) if (piece.length === 7) break;
    },
    prepare: (session) => session.prepare('/w', [{ path: 'f', data: Buffer.alloc(200_000), mode: 0o644 }]),
  };

  test('never hangs, and fails in known ways only', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyInitFrame, { maxLength: 30 }),
          fc.array(fc.constantFrom(...Object.keys(doings)), { minLength: 1, maxLength: 4 }),
          fc.record({ says: fc.boolean(), takes: fc.boolean(), closes: fc.boolean() }),
          async (frames, names, { says, takes, closes }) => {
            const { attachment, say, output } = peer(takes);
            const session = createInitSession(attachment);
            const work = names.map(async (name) => {
              try {
                await doings[name]?.(session);
              } catch (error) {
                known(error);
              }
            });
            if (says) say(ready);
            for (const one of frames) {
              say(one);
              await turn();
            }
            if (closes) session.close();
            else if (!output.destroyed) output.push(null);
            await session.closed;
            await Promise.all(work);
          },
        ),
        { seed, numRuns: 500 },
      );
      await turn();
    } finally {
      process.off('unhandledRejection', note);
    }
    expect(unhandled).toEqual([]);
  });

  test('keeps little for a peer that says TAKEN and takes nothing', async () => {
    const { attachment, say, stdin } = peer(false);
    const session = createInitSession(attachment);
    say(ready);
    say(frame('s'));
    const running = session.exec(step(['x'], { stdin: true }), () => {});
    await running.started;
    let written = 0;
    const writing = (async () => {
      for (let i = 0; i < 1000; i++) {
        await running.stdin.write(Buffer.alloc(64 * 1024));
        written += 1;
      }
    })();
    for (let i = 0; i < 200; i++) {
      if (written > i) say(frame('t', u32(64 * 1024)));
      await turn();
    }
    expect(stdin.writableLength).toBeLessThan(512 * 1024);
    session.close();
    await writing;
  });

  test('reads no further than its output is taken', async () => {
    const { attachment, output } = peer(true);
    let asked = 0;
    output._read = () => {
      asked += 1;
      const data = asked === 1 ? Buffer.concat([ready, frame('s')]) : frame('o', Buffer.alloc(60_000));
      output.push({ stream: 'stdout', data });
    };
    const session = createInitSession(attachment);
    const never = Promise.withResolvers<void>();
    const running = session.exec(step(['x']), () => never.promise);
    await running.started;
    for (let i = 0; i < 50; i++) await turn();
    expect(asked).toBeLessThan(10);
    session.close();
    await session.closed;
    await expect(running.ended).rejects.toBeInstanceOf(SandboxLost);
  });

  test('takes no list longer than was asked for', async () => {
    const { attachment, output } = peer(true);
    let first = true;
    output._read = () => {
      // Names that are left out count as well: it would never end.
      const entry = frame('l', u32(0), u64(1), Buffer.from('../x'));
      output.push({ stream: 'stdout', data: first ? ready : entry });
      first = false;
    };
    const session = createInitSession(attachment);
    await expect(session.list(1000)).rejects.toBeInstanceOf(SandboxLost);
  });

  test('repeats what came in the place of an init', async () => {
    const { attachment, output } = peer(true);
    const session = createInitSession(attachment);
    const why = 'OCI runtime exec failed: exec failed: no such file or directory: unknown\r\n';
    output.push({ stream: 'stdout', data: Buffer.from(why) });
    await expect(session.ready).rejects.toThrow(why.trim());
  });

  test('repeats what a runtime complained of, in short', async () => {
    const { attachment, output } = peer(true);
    const session = createInitSession(attachment);
    for (let i = 0; i < 100; i++) output.push({ stream: 'stderr', data: Buffer.alloc(60_000, 'x') });
    output.push(null);
    const error = (await session.closed) as Error;
    expect(error).toBeInstanceOf(SandboxLost);
    expect(error.message.length).toBeLessThan(9000);
    await expect(session.ready).rejects.toBe(error);
  });
});
