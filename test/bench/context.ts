import type { Lab } from '../support/lab.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import type { RawEngine } from './raw-engine.ts';

/** What each part of the benchmark has. */
export type Context = {
  lab: Lab;
  /** The peer, and a look at the Engine that is not ours. */
  raw: RawEngine;
  /** How thorough to be; each part makes of it what its samples cost. */
  rounds: number;
  piston: string | undefined;
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
  const runlet = await startRunlet(context.lab, { env });
  try {
    return await Promise.race([act(runlet), context.interrupted]);
  } finally {
    await runlet.stop();
  }
}

export const withoutPool = { RUNLET_WARM_MAX: '0' };
