import type { Problem } from '../../../shared/problems.ts';
import type { ContainerDisk } from '../disk/watch.ts';
import type { Owner, SandboxOwner } from '../labels.ts';
import type { Sandbox } from './sandbox.ts';
import type { SandboxLimits, SandboxSpec } from './spec.ts';

/**
 * What makes sandboxes: the port between the way of a run and whatever starts its programs. The way of a run, the pool and the reaper
 * know no more than this; drivers/ has the implementations, and one suite of tests holds for each.
 */
export interface SandboxDriver {
  readonly name: string;
  /** How many sandboxes it makes, and removes, at a time: with more at once none of them is done sooner. */
  readonly pace: { making: number; removing: number };
  /** Which isolations it offers now. */
  isolations(): Isolation[];
  /** Why it makes no sandbox of this shape; `null` when it does. Answers at once: it is asked on the way of each run. */
  refuses(shape: DriverShape): Problem | null;
  /**
   * Makes a sandbox and starts it. Its session takes frames from then on; whether the init is there, `session.ready` says. The lease of
   * the spec is the driver's from the call on: it gives the user back when nothing of the sandbox is there any more. Rejects with a Problem, and
   * then nothing is left but what `left` tells of.
   */
  make(spec: SandboxSpec): Promise<OwnSandbox>;
  /** What there is of this Runlet (`instance`) where the driver makes its sandboxes, of this worker and of others, living or dead. */
  left(instance: string): Promise<Leftover[]>;
  /** Resolves when no work of its own is under way. Sandboxes that are there stay. */
  close(): Promise<void>;
}

export type Isolation = SandboxSpec['isolation'];

/** What decides whether a driver can make a sandbox. */
export type DriverShape = Pick<SandboxSpec, 'isolation' | 'network' | 'writable'>;

/** A sandbox that a driver made. It is one run's, and nobody's after that. */
export type OwnSandbox = Sandbox & {
  /** As its driver names it. */
  id: string;
  /** What its user is called in it. */
  userName: string;
  /** What it was made with. */
  limits: SandboxLimits;
  update(limits: SandboxLimits): Promise<void>;
  /** Says whose it is from now on, where whoever looks at the machine finds it. Nothing depends on that. */
  claim(owner: Pick<SandboxOwner, 'run' | 'attempt'>): Promise<void>;
  /** What it has written, for the disk watch. */
  disk: ContainerDisk;
};

/** A sandbox, or what was made beside it, that may be an orphan. */
export type Leftover = {
  /** The same at the next look; no other's. */
  id: string;
  name: string;
  owner: Owner;
  /** Idempotent. */
  remove(): Promise<void>;
};
