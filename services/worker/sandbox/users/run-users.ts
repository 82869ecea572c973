import { Problem } from '../../../../shared/problems.ts';

/** The user and group that a sandbox's programs run as. */
export type RunUser = { uid: number; gid: number };

/** The largest id that runc accepts. The kernel accepts twice that. */
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

/**
 * In the form that an engine and the init take. Numbers, because names would be looked up in the image's own passwd
 * file.
 */
export const userText = ({ uid, gid }: RunUser) => `${uid}:${gid}`;

/**
 * The kernel counts many resources by user, not by cgroup: inotify's instances and watches, descriptors in flight,
 * pending signals and timers, the pages of pipes, message queues, locked shared memory, epoll's watches. Two sandboxes
 * with the same user share all of these, and one could take them from the other. So each sandbox has its own user, from
 * a block that belongs to its worker.
 */
export type UserBlock = { first: number; size: number };

/** Several blocks of users, one after another. */
export type UserRange = UserBlock & { blocks: number };

/**
 * Numbers that nobody else uses. Below 524,288 are people, packages and images. Up to 1,879,048,191 are those that
 * shadow and systemd hand out to containers (/etc/subuid ends at 600,100,000 if nobody changed it). From 2,147,352,576
 * on they are systemd's again. There are many blocks, so two Runlets on one machine that do not know each other are
 * unlikely to begin at the same one.
 */
export const hostUsers: UserRange = { first: 1_900_000_000, size: 4_000, blocks: 60_000 };

/**
 * In the user namespace of an engine (rootless, or `userns-remap`) there mostly are 65,536 users. Images use the low
 * numbers, systemd the highest.
 */
export const namespaceUsers: UserRange = { first: 20_000, size: 1_000, blocks: 40 };

export const blockAt = ({ first, size }: UserRange, index: number): UserBlock => ({
  first: first + index * size,
  size,
});

/**
 * The files with the users' names are put on the engine for this many users at a time
 * (drivers/engine/account-mounts.ts).
 */
const batchSize = 64;

/** The users in the same batch as this one, itself included. */
export function batchOf({ first, size }: UserBlock, { uid }: RunUser): RunUser[] {
  const from = uid - ((uid - first) % batchSize);
  const count = Math.min(batchSize, first + size - from);
  return Array.from({ length: count }, (_, at) => ({ uid: from + at, gid: from + at }));
}

/** The use of a user by one sandbox, from before the sandbox is made until it is gone. */
export type Lease = {
  user: RunUser;
  /** All users whose files are put on the engine together with this one's. */
  batch: RunUser[];
  /**
   * Runs `remove`, which resolves when no container has this user any more, and then gives the user back. Rejects if
   * the first try fails. Then it is tried again until it succeeds, and until then nobody else gets the user.
   */
  end(remove: () => Promise<void>): Promise<void>;
};

export type RunUsers = ReturnType<typeof createRunUsers>;

/** This share of the users is kept for runs. Sandboxes that nobody waits for cannot take them. */
const keptForRuns = 1 / 8;
const removeAgainMs = 5_000;
const maxWaitMs = 60_000;

/**
 * Hands out users.
 *
 * @param fixed the operator's choice: every sandbox has this user
 */
export function createRunUsers(
  fixed: RunUser | undefined,
  options: { removeAgainMs?: number; maxWaitMs?: number } = {},
) {
  const again = options.removeAgainMs ?? removeAgainMs;
  const patience = options.maxWaitMs ?? maxWaitMs;
  let block: UserBlock = { first: 0, size: 0 };
  /**
   * By batch, so that few batches are in use. In each batch the user that was free longest comes first, because the
   * kernel releases some resources a little later.
   */
  let free: RunUser[][] = [];
  let left = 0;
  /** Runs that wait, the first one first. */
  const waiting = new Set<(lease: Lease) => void>();

  function leaseOf(user: RunUser, from: RunUser[], batch: RunUser[]): Lease {
    const ofBlock = block;
    let over = false;
    const giveBack = () => {
      if (over) return;
      over = true;
      from.push(user);
      // The worker has another block by now, so this user is no longer its own.
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
    /** From now on the users are those of this block. */
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

    /** For a sandbox that nobody waits for. `undefined`: the rest is kept for runs. */
    spare(): Lease | undefined {
      return fixed === undefined && left <= block.size * keptForRuns ? undefined : next();
    },

    /**
     * For a run. Waits if all users are in use; a user comes back when its run ends. Rejects with the signal's reason,
     * or after a minute with a Problem `overloaded`.
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

    /** One of the users that are handed out. */
    example: (): RunUser => fixed ?? { uid: block.first, gid: block.first },

    allFree: () => left === block.size,
  };
}
