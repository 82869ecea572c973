import { Problem } from '../../../../shared/problems.ts';

/** Whom a sandbox's programs are executed as. */
export type RunUser = { uid: number; gid: number };

/** runc's own; the kernel's is twice that. */
const maxId = 2 ** 31 - 2;

/** Reads the operator's `uid:gid`. Throws an Error on anything but two numbers above 0. */
export function parseUser(text: string): RunUser {
  const [, uid = 0, gid = 0] = (/^([1-9]\d{0,9}):([1-9]\d{0,9})$/.exec(text) ?? []).map(Number);
  if (uid === 0 || gid === 0 || uid > maxId || gid > maxId)
    throw new Error(
      `The sandboxes' user is "${text}": give it as uid:gid in numbers, and not root, as in 1000:1000`,
    );
  return { uid, gid };
}

/** As an engine, and the init, take it: names would be looked up in the image's own passwd file. */
export const userText = ({ uid, gid }: RunUser) => `${uid}:${gid}`;

/**
 * Much of what the kernel gives to programs it counts by user, not by cgroup: inotify's instances and watches, descriptors in flight,
 * pending signals and timers, the pages of pipes, message queues, locked shared memory, epoll's watches. Two sandboxes with one user
 * share all of that, and one of them can take it from the other; so each has a user of its own, from a block that is its worker's.
 */
export type UserBlock = { first: number; size: number };

/** Blocks of users, side by side. */
export type UserRange = UserBlock & { blocks: number };

/**
 * Numbers that belong to nobody: below 524,288 are people, packages and images; up to 1,879,048,191 those that shadow and systemd hand out to
 * containers (/etc/subuid ends at 600,100,000 where nobody changed it); from 2,147,352,576 on systemd's again. Two Runlets on one machine that know nothing
 * of each other begin at two of so many blocks.
 */
export const hostUsers: UserRange = { first: 1_900_000_000, size: 4_000, blocks: 60_000 };

/** In the user namespace of an engine (rootless, or `userns-remap`) there mostly are 65,536 users; an image's are low, systemd's the highest. */
export const namespaceUsers: UserRange = { first: 20_000, size: 1_000, blocks: 40 };

export const blockAt = ({ first, size }: UserRange, index: number): UserBlock => ({
  first: first + index * size,
  size,
});

/** The files that name users are brought to the engine for so many at a time (drivers/engine/account-mounts.ts). */
const batchSize = 64;

/** The users beside this one of a block, itself included. */
export function batchOf({ first, size }: UserBlock, { uid }: RunUser): RunUser[] {
  const from = uid - ((uid - first) % batchSize);
  const count = Math.min(batchSize, first + size - from);
  return Array.from({ length: count }, (_, at) => ({ uid: from + at, gid: from + at }));
}

/** A sandbox's user, from before the sandbox is made until it is gone. */
export type Lease = {
  user: RunUser;
  /** All whose names come to the engine together with this one's. */
  batch: RunUser[];
  /**
   * Runs `remove`, which resolves when there is no container any more that has this user, and gives the user back then. Rejects as the
   * first try does; it is tried again until it succeeds, and as long nobody else has the user.
   */
  end(remove: () => Promise<void>): Promise<void>;
};

export type RunUsers = ReturnType<typeof createRunUsers>;

/** What is left for those that nobody waits for. */
const keptForRuns = 1 / 8;
const removeAgainMs = 5_000;
const maxWaitMs = 60_000;

/**
 * Hands out users.
 *
 * @param fixed the operator's choice: every sandbox has that one
 */
export function createRunUsers(
  fixed: RunUser | undefined,
  options: { removeAgainMs?: number; maxWaitMs?: number } = {},
) {
  const again = options.removeAgainMs ?? removeAgainMs;
  const patience = options.maxWaitMs ?? maxWaitMs;
  let block: UserBlock = { first: 0, size: 0 };
  /** By batch, so that few are in use; in each the one that has been free longest first: the kernel lets go of some things a little later. */
  let free: RunUser[][] = [];
  let left = 0;
  /** Runs, the first that came first. */
  const waiting = new Set<(lease: Lease) => void>();

  function leaseOf(user: RunUser, from: RunUser[], batch: RunUser[]): Lease {
    const ofBlock = block;
    let over = false;
    const giveBack = () => {
      if (over) return;
      over = true;
      from.push(user);
      // Another block was taken meanwhile: this one is somebody else's.
      if (ofBlock !== block) return;
      left += 1;
      serve();
    };
    const retry = (remove: () => Promise<void>) => {
      setTimeout(() => remove().then(giveBack, () => retry(remove)), again).unref();
    };
    return {
      user,
      batch,
      async end(remove) {
        try {
          await remove();
        } catch (error) {
          if (!over) retry(remove);
          throw error;
        }
        giveBack();
      },
    };
  }

  function next(): Lease | undefined {
    if (fixed !== undefined) return { user: fixed, batch: [fixed], end: (remove) => remove() };
    const from = free.find((batch) => batch.length > 0);
    const user = from?.shift();
    if (from === undefined || user === undefined) return undefined;
    left -= 1;
    return leaseOf(user, from, batchOf(block, user));
  }

  function serve(): void {
    for (const give of waiting) {
      const lease = next();
      if (lease === undefined) return;
      give(lease);
    }
  }

  const allInUse = () =>
    new Problem(
      'overloaded',
      `This worker has a user of its own for ${block.size} sandboxes at a time, and all are in use. Try again later, or start another worker.`,
      { retryAfterSeconds: 60 },
    );

  return {
    /** From now on users are those of this block. */
    use(one: UserBlock): void {
      block = one;
      free = [];
      for (let at = 0; at < one.size; at += batchSize) {
        const { first } = one;
        free.push(batchOf(one, { uid: first + at, gid: first + at }));
      }
      left = one.size;
      serve();
    },

    /** For a sandbox that nobody waits for; `undefined`: those that are left are for runs. */
    spare(): Lease | undefined {
      return fixed === undefined && left <= block.size * keptForRuns ? undefined : next();
    },

    /**
     * For a run. Waits where all are in use: each comes back at its run's end. Rejects with the signal's reason, or after a minute with
     * a Problem `overloaded`.
     */
    async take(signal?: AbortSignal): Promise<Lease> {
      signal?.throwIfAborted();
      const lease = waiting.size === 0 ? next() : undefined;
      if (lease !== undefined) return lease;
      return new Promise((resolve, reject) => {
        const settle = (end: () => void) => {
          waiting.delete(give);
          clearTimeout(timer);
          signal?.removeEventListener('abort', leave);
          end();
        };
        const give = (one: Lease) => settle(() => resolve(one));
        const leave = () => settle(() => reject(signal?.reason));
        const timer = setTimeout(() => settle(() => reject(allInUse())), patience);
        signal?.addEventListener('abort', leave, { once: true });
        waiting.add(give);
      });
    },

    /** One of those that are handed out. */
    example: (): RunUser => fixed ?? { uid: block.first, gid: block.first },

    allFree: () => left === block.size,
  };
}
