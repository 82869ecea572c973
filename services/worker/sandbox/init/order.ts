import { frame, u16, u32, u64 } from './frames.ts';

/** EXEC and HOLD, the orders to start a program (infra/sandbox-init/order.c reads them). */

export type StepSpec = {
  argv: string[];
  env: Record<string, string>;
  /** Adds the init's own environment to `env`. Beside a service, that is the container's. */
  ownEnvironment?: boolean;
  tty?: { cols: number; rows: number };
  /** Whether the program gets a stdin. If not, it reads /dev/null. */
  stdin: boolean;
  /** Its stdout and stderr are one pipe: all of it comes as stdout. Never beside a service, whose init may be an older one. */
  mergeStderr?: boolean;
  /**
   * The limit of its stack. Undefined: as in the container. Always undefined beside a service, whose init may be an
   * older one.
   */
  stackBytes?: number | undefined;
  wallMs: number;
  cpuMs: number | null;
  /** For stdout and stderr together. A little more may come; the caller must cut it off. */
  outputBytes: number;
};

const heldFlag = 8;
const stackFlag = 16;
const onePipeFlag = 32;
const unlimited = { wallMs: 0, cpuMs: null, outputBytes: 0 };

/** What a program gets at its start and cannot be changed later. */
export type Start = { flags: number; argc: number; envc: number; strings: Buffer };

export function startOf(step: Omit<StepSpec, keyof typeof unlimited | 'stackBytes'>): Start {
  const env = Object.entries(step.env).map(([name, value]) => `${name}=${value}`);
  return {
    flags:
      (step.tty ? 1 : 0) |
      (step.stdin || step.tty ? 2 : 0) |
      (step.ownEnvironment ? 4 : 0) |
      (step.mergeStderr ? onePipeFlag : 0),
    argc: step.argv.length,
    envc: env.length,
    strings: ended([...step.argv, ...env]),
  };
}

export const isSameStart = (a: Start, b: Start) =>
  a.flags === b.flags && a.argc === b.argc && a.envc === b.envc && a.strings.equals(b.strings);

export const execOrder = (start: Start, step: StepSpec, isHeld: boolean): Buffer =>
  orderFrame('E', isHeld ? { ...start, flags: start.flags | heldFlag } : start, step);

/** The program runs until its first system call with the path `until`. */
export const holdOrder = (start: Start, stackBytes: number | undefined, until: string): Buffer =>
  orderFrame('H', start, { ...unlimited, stackBytes }, until);

function orderFrame(
  type: 'E' | 'H',
  { flags, argc, envc, strings }: Start,
  {
    wallMs,
    cpuMs,
    outputBytes,
    stackBytes,
    tty,
  }: Pick<StepSpec, keyof typeof unlimited | 'stackBytes' | 'tty'>,
  ...more: string[]
): Buffer {
  return frame(
    type,
    u32(stackBytes === undefined ? flags : flags | stackFlag),
    u32(wallMs),
    u32(cpuMs ?? 0),
    u64(outputBytes),
    u16(tty?.cols ?? 0),
    u16(tty?.rows ?? 0),
    u32(argc),
    u32(envc),
    stackBytes === undefined ? Buffer.alloc(0) : u64(stackBytes),
    strings,
    ended(more),
  );
}

/** Each string ends with a NUL. */
const ended = (strings: string[]) => Buffer.from(strings.map((text) => `${text}\0`).join(''));
