import type { Lab } from '../support/lab.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import type { Driver } from './drivers.ts';
import type { Peer } from './peers.ts';
import type { RawEngine } from './raw-engine.ts';

/** What each part of the benchmark has. */
export type Context = {
  lab: Lab;
  /** The peer, and a look at the Engine that is not ours. */
  raw: RawEngine;
  /** How thorough to be; each part makes of it what its samples cost. */
  rounds: number;
  /** Those that are measured, of those that a worker here offers. */
  drivers: () => Promise<Driver[]>;
  /** Where one was asked for, and no other: what is measured on one driver is measured on it. */
  onlyDriver: Driver | undefined;
  /** The servers of others that were named and answer. */
  peers: () => Promise<Peer[]>;
  /** Names of languages; none: all. */
  languages: string[];
  say: (line: string) => void;
  /** Rejects when the benchmark is told to end. */
  interrupted: Promise<never>;
};

/**
 * A Runlet of a part's own, gone at its end: what one part has taught the pool is not there for the next. The embedded
 * default in all else: Redis that writes before it answers, the log on.
 */
export async function withRunlet<T>(
  context: Context,
  env: Record<string, string>,
  act: (runlet: Runlet) => Promise<T>,
): Promise<T> {
  const driver = context.onlyDriver === undefined ? {} : { RUNLET_DRIVER: context.onlyDriver };
  const runlet = await startRunlet(context.lab, { env: { ...env, ...driver } });
  try {
    return await Promise.race([act(runlet), context.interrupted]);
  } finally {
    await runlet.stop();
  }
}

/** A Runlet on one of the drivers. */
export type Driven = { driver: Driver; runlet: Runlet };

/**
 * A Runlet on each driver, all at the same time, so that they can be measured in turn: who is not asked only waits. They are gone at the
 * end.
 */
export async function withDrivers<T>(
  context: Context,
  env: Record<string, string>,
  act: (all: Driven[]) => Promise<T>,
): Promise<T> {
  const started = async (left: Driver[], all: Driven[]): Promise<T> => {
    const [driver, ...others] = left;
    if (driver === undefined) return act(all);
    return withRunlet(context, { ...env, RUNLET_DRIVER: driver }, (runlet) =>
      started(others, [...all, { driver, runlet }]),
    );
  };
  return started(await context.drivers(), []);
}

export const withoutPool = { RUNLET_WARM_MAX: '0' };
