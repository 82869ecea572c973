import type { Problem } from '../../../shared/problems.ts';
import type { ContainerDisk } from '../disk/watch.ts';
import type { Owner, SandboxOwner } from '../labels.ts';
import type { Sandbox } from './sandbox.ts';
import type { SandboxLimits, SandboxSpec } from './spec.ts';

/**
 * Makes sandboxes. This is the interface between the execution of runs and whatever starts their programs: run
 * execution, the pool and the reaper know only this. The implementations are in drivers/, and one test suite applies to
 * all of them.
 */
export interface SandboxDriver {
  readonly name: string;
  readonly pace: DriverPace;
  /** The isolations that it offers now. */
  isolations(): Isolation[];
  /**
   * Why it cannot make a sandbox of this shape; `null` when it can. Answers at once, because it is asked for each run.
   */
  refuses(shape: DriverShape): Problem | null;
  /**
   * Makes a sandbox and starts it. Its session accepts frames from then on; `session.ready` resolves when the init has
   * started. From this call on, the driver is responsible for the spec's lease: it gives the user back when nothing of
   * the sandbox is left. Rejects with a Problem; with the signal's reason, if it waited for its turn. Then nothing is left
   * except what `left` reports.
   */
  make(spec: SandboxSpec, signal?: AbortSignal): Promise<OwnSandbox>;
  /**
   * What exists of this Runlet (`instance`) where the driver makes its sandboxes. It may be of this worker or of
   * others, which may run or not.
   */
  left(instance: string): Promise<Leftover[]>;
  /** Whether it needs what `left` tells of as a pin, by that pin's id. */
  holds(pin: string): boolean;
  /** Lets go of an image that is about to be removed from the engine. An image that a sandbox has stays in use. */
  letGo(image: string): Promise<void>;
  /** Resolves when none of its own work is under way. Existing sandboxes stay. */
  close(): Promise<void>;
}

export type Isolation = SandboxSpec['isolation'];

/**
 * How many sandboxes a driver makes and removes at a time: with more at once, none would be finished sooner. `idleBytes`: the memory of one
 * that waits, with what belongs to it outside of it.
 */
export type DriverPace = { making: number; removing: number; idleBytes: number };

/** The properties that decide whether a driver can make a sandbox. */
export type DriverShape = Pick<SandboxSpec, 'isolation' | 'network' | 'writable'>;

/** A sandbox that a driver made. It is used for one run and never again. */
export type OwnSandbox = Sandbox & {
  /** The driver's id for it. */
  id: string;
  /** The name of its user inside it. */
  userName: string;
  /** The limits that it was made with. */
  limits: SandboxLimits;
  /**
   * Gives it other limits. Rejects with a Problem `memory_limit` where what it holds already (files in memory) is more than the
   * new limit of memory and the kernel refuses that. (With cgroup v2 the kernel kills instead, and the sandbox is lost.)
   */
  update(limits: SandboxLimits): Promise<void>;
  /** Records the owner from now on, for people who look at the machine. Nothing depends on it. */
  claim(owner: Pick<SandboxOwner, 'run' | 'attempt'>): Promise<void>;
  /** What it has written to disk, for the disk watch. */
  disk: ContainerDisk;
};

/** A sandbox, or something made for it, that may be an orphan. */
export type Leftover = {
  /** Stays the same at the next look, and nothing else has it. */
  id: string;
  name: string;
  owner: Owner;
  /** Idempotent. */
  remove(): Promise<void>;
};
