import type { OwnSandbox, SandboxDriver } from '../driver.ts';
import { createDemand, type Demand } from './demand.ts';

/**
 * What sandboxes made ahead have in common: image, isolation, and everything that cannot be changed later. None has a
 * network.
 */
export type WarmProfile = {
  key: string;
  /** The reference by which it was wanted, and the image itself. */
  image: string;
  imageId: string;
  isolation: string;
  /** Who makes it. */
  driver: Pick<SandboxDriver, 'name' | 'pace'>;
  /** The memory that one takes while it waits. */
  idleBytes: number;
  /** Makes a sandbox, started and ready for its first step. */
  make(id: string): Promise<OwnSandbox>;
  /** Does once in the sandbox what every run does, before anybody asks for it. Left out if somebody waits. */
  warmUp(sandbox: OwnSandbox): Promise<void>;
};

export type Entry = { id: string; sandbox: OwnSandbox; since: number; driver: WarmProfile['driver'] };

export type Taken = Pick<Entry, 'id' | 'sandbox' | 'driver'>;

export type Shelf = {
  profile: WarmProfile;
  /** Kept warm even without demand. */
  pinned: boolean;
  idle: Entry[];
  making: number;
  /**
   * Runs that wait for a sandbox that is being made, in the order they came. Never more than there are sandboxes being
   * made.
   */
  waiting: ((taken: Taken | undefined) => void)[];
  demand: Demand;
  makeMs: number;
  notBefore: number;
  /** The failures since the last success. */
  failures: number;
};

/** One for a kind of which nothing was made yet. */
export const newShelf = (profile: WarmProfile, now: () => number): Shelf => ({
  profile,
  pinned: false,
  idle: [],
  making: 0,
  waiting: [],
  demand: createDemand(now),
  makeMs: 300,
  notBefore: 0,
  failures: 0,
});
