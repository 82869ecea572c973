import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningRedis } from '../../infra/parts/redis.ts';
import type { Program } from '../support/runlet.ts';
import type { Chance } from './chance.ts';

export type Victim = {
  kill(): Promise<void>;
  /** Whether it ended. */
  dead(): boolean;
};

export const victim = (program: Program) => ({
  program,
  kill: () => program.stop('SIGKILL'),
  dead: program.killed,
});

/** A Redis. */
export const storeVictim = ({ child }: RunningRedis) => ({
  kill: async () => {
    child.kill('SIGKILL');
    await child.ended;
  },
  dead: () => !child.isRunning(),
});

/**
 * Kills it with SIGKILL at random moments, and starts it again after a while, as a supervisor would. Answers when it stands again
 * for the last time. Throws when it ended by itself: that it bears the deaths of the others is part of the matter.
 */
export async function torment<T extends Victim>(
  name: string,
  first: T,
  start: () => Promise<T>,
  { times, chance }: { times: number; chance: Chance },
): Promise<T> {
  let current = first;
  for (let i = 0; i < times; i += 1) {
    await chance.pause(3_000, 12_000);
    if (current.dead()) throw new Error(`${name} ended by itself`);
    await current.kill();
    await chance.pause(50, 1_500);
    current = await again(start);
  }
  return current;
}

/** A program that cannot reach Redis at its start gives up in the end: whoever looks after it tries again. */
async function again<T>(start: () => Promise<T>): Promise<T> {
  for (let left = 5; ; left -= 1) {
    try {
      return await start();
    } catch (error) {
      if (left === 0) throw error;
      await sleep(500);
    }
  }
}
