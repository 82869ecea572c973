import { createHash } from 'node:crypto';
import type { Log } from '../../../shared/log.ts';
import type { UserBlockStore } from '../../../shared/stores/user-blocks.ts';
import type { Engine } from '../engine/engine.ts';
import { labelNames } from '../labels.ts';
import {
  blockAt,
  hostUsers,
  namespaceUsers,
  type RunUsers,
  type UserBlock,
  type UserRange,
} from '../sandbox/users/run-users.ts';

/** More than the workers of any Runlet. */
const maxTries = 2_000;
const usualRenewMs = 10_000;

/**
 * A block of users for one worker's life. It is claimed in Redis, so that no other worker of this Runlet has it, on any engine: two
 * engines may share a kernel. Another Runlet on the machine has a Redis of its own; so the search begins at a block that follows from the
 * Runlet's name, and a block is not taken while any sandbox on the machine has one of its users.
 */
export async function claimUserBlock(options: {
  store: UserBlockStore;
  engine: Engine;
  /** Users of sandboxes that the engine does not know of. */
  otherUsers: () => Promise<number[]>;
  /** Whether the engine's containers have a user namespace. */
  namespaced: boolean;
  instance: string;
  workerId: string;
  users: RunUsers;
  log: Log;
  renewMs?: number;
}) {
  const { store, engine, users, log } = options;
  const range = options.namespaced ? namespaceUsers : hostUsers;
  let index = await claim();
  const timer = setInterval(() => void renew(), options.renewMs ?? usualRenewMs);

  async function claim(): Promise<number> {
    const taken = await usedBlocks(engine, options.otherUsers, range);
    const start = startOf(options.instance, range);
    for (let step = 0; step < Math.min(range.blocks, maxTries); step += 1) {
      const at = (start + step) % range.blocks;
      if (taken.has(at) || !(await store.claim(at, options.workerId))) continue;
      const block: UserBlock = blockAt(range, at);
      users.use(block);
      log.info({ first: block.first, last: block.first + block.size - 1 }, 'users of sandboxes');
      return at;
    }
    throw new Error(
      'All blocks of users for sandboxes are claimed by other workers: stop some, or set RUNLET_RUN_USER to one user for all runs.',
    );
  }

  async function renew(): Promise<void> {
    try {
      if (await store.renew(index, options.workerId)) return;
      log.warn('another worker has claimed this one’s users: others are taken');
      index = await claim();
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'the claim on users could not be renewed');
    }
  }

  return {
    /** Gives the block back. While a sandbox has one of its users, the claim is left to expire instead. */
    async leave(): Promise<void> {
      clearInterval(timer);
      if (users.allFree()) await store.leave(index, options.workerId);
    },
  };
}

async function usedBlocks(
  engine: Engine,
  otherUsers: () => Promise<number[]>,
  range: UserRange,
): Promise<Set<number>> {
  const [containers, others] = await Promise.all([
    engine.containers.list({ [labelNames.user]: '' }),
    otherUsers(),
  ]);
  const users = [...containers.map(({ labels }) => Number(labels[labelNames.user])), ...others];
  return new Set(users.map((user) => Math.floor((user - range.first) / range.size)));
}

function startOf(instance: string, { blocks }: UserRange): number {
  return createHash('sha256').update(instance).digest().readUInt32BE(0) % blocks;
}
