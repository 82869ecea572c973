import { newId } from '../../../shared/ids.ts';
import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import type { ContainerDisk } from '../disk/watch.ts';
import type { ImageInfo } from '../engine/images.ts';
import type { SandboxOwner, WarmOwner } from '../labels.ts';
import type { OwnSandbox, SandboxDriver } from './driver.ts';
import type { SandboxDrivers } from './drivers/choose.ts';
import { checkFits } from './image/image-content.ts';
import type { ImageLook, ImageLooks } from './image/image-looks.ts';
import { makeSandbox } from './make-sandbox.ts';
import type { Sandbox } from './sandbox.ts';
import type { SandboxLimits } from './spec.ts';
import type { RunUsers } from './users/run-users.ts';
import { createDisposer } from './warm/disposer.ts';
import { createWarmPool, type Taken } from './warm/warm-pool.ts';
import { createWarmProfiles, foldersOf, type WarmShape } from './warm/warm-profile.ts';

/** A sandbox for one attempt. `release` destroys it and what was made beside it. */
export type Opened = {
  sandbox: Sandbox;
  /** What one of its own has; `null`: it is within a container that somebody else made. */
  own: { folders: { path: string }[]; userName: string; disk: ContainerDisk } | null;
  /** It was ready before the run came. */
  warm: boolean;
  release: () => Promise<void>;
};

/** One that was made ahead. */
export type WarmOpened = Opened & {
  /** It is this attempt's now; resolves when it has that run's limits. */
  adopt(holder: Pick<Holder, 'runId' | 'attempt'>): Promise<void>;
};

/** Whose a sandbox is to be. */
type Holder = { runId: string; tenant: string; attempt: number };

/** What a sandbox is wanted for. */
type Asked = { request: WarmShape; holder: Holder; stop: { signal: AbortSignal } };

/** What a sandbox is kept at hand for: an image, and the limits that it is made with. */
export type Pin = { shape: WarmShape; image: ImageInfo; reference: string };

export type Sandboxes = ReturnType<typeof createSandboxes>;

/** Short runs are over before their sandbox's name could be of use to anybody. */
const claimAfterMs = 1_000;

/** Gives attempts their sandboxes: a warm one where one is ready, else one that is made for it. */
export function createSandboxes(options: {
  drivers: SandboxDrivers;
  looks: ImageLooks;
  users: RunUsers;
  seccompProfile: string;
  worker: Omit<WarmOwner, 'warm'>;
  maxWarm: number;
  /** Whether a program runs, or is about to. */
  busy: () => boolean;
  /** Whether somebody waits for room. */
  wanted: () => boolean;
  memoryPressed: () => boolean;
  log: Log;
}) {
  const { drivers, looks, users, seccompProfile } = options;
  const profiles = createWarmProfiles(options);
  let coldUnderWay = 0;

  const disposer = createDisposer({
    busy: () => coldUnderWay > 0 || options.busy(),
    wanted: options.wanted,
    maxAtOnce: drivers.pace.removing,
  });
  const pool = createWarmPool({
    newId: () => newId('wrm'),
    max: options.maxWarm,
    maxMaking: drivers.pace.making,
    busy: () => !disposer.quiet(),
    opening: () => coldUnderWay > 0,
    pressed: options.memoryPressed,
    log: options.log,
  });

  const ownOf = ({ userName, disk }: OwnSandbox, shape: WarmShape, image: ImageInfo): Opened['own'] => ({
    folders: foldersOf(shape, image),
    userName,
    disk,
  });

  /** One of the pool's, in the hands of a run with these limits. */
  function fromPool(
    { id, sandbox }: Taken,
    limits: SandboxLimits,
    shape: WarmShape,
    image: ImageInfo,
  ): WarmOpened {
    const limited = sameLimits(sandbox.limits, limits) ? Promise.resolve() : sandbox.update(limits);
    limited.catch(() => {});
    let claiming: NodeJS.Timeout | undefined;
    return {
      sandbox,
      own: ownOf(sandbox, shape, image),
      warm: true,
      adopt: ({ runId, attempt }) => {
        claiming = setTimeout(() => sandbox.claim({ run: runId, attempt }).catch(() => {}), claimAfterMs);
        return limited;
      },
      release: async () => {
        clearTimeout(claiming);
        try {
          await disposer.dispose(() => sandbox.remove());
        } finally {
          pool.forget(id);
        }
      },
    };
  }

  /** One that is in the making, or just became ready; `undefined` when there is none to wait for. */
  async function openNext({ request, holder }: Asked, image: ImageInfo): Promise<Opened | undefined> {
    const wanted = profiles.profileFor(request, image, '');
    const taken = wanted && (await pool.next(wanted.profile.key));
    if (wanted === undefined || taken === undefined) return undefined;
    const opened = fromPool(taken, wanted.limits, request, image);
    try {
      await opened.adopt(holder);
      return { ...opened, warm: !taken.waited };
    } catch (error) {
      await opened.release();
      throw error;
    }
  }

  async function openCold(
    driver: SandboxDriver,
    { request: shape, holder: { runId, tenant, attempt }, stop: { signal } }: Asked,
    image: ImageInfo,
    look: ImageLook,
  ): Promise<Opened> {
    const run: SandboxOwner = { run: runId, tenant, attempt, ...options.worker };
    const lease = await users.take(signal);
    const making = { shape, image, look, owner: { of: 'run', owner: run }, lease, seccompProfile } as const;
    const sandbox = await makeSandbox(driver, making, signal);
    return {
      sandbox,
      own: ownOf(sandbox, shape, image),
      warm: false,
      release: () => disposer.dispose(() => sandbox.remove()),
    };
  }

  return {
    pool,
    /** Used sandboxes are removed at once from now on. */
    hurry: disposer.hurry,

    /** One that was made ahead, if there is one for this request; whoever takes it releases it. */
    takeWarm(shape: WarmShape, image: ImageInfo, reference: string): WarmOpened | undefined {
      // Of one that nobody has looked into yet it is not known whether there shall be any.
      if (image.volumes.length > 0 && looks.known(image.id) === undefined) return undefined;
      const wanted = profiles.profileFor(shape, image, reference);
      if (wanted === undefined) return undefined;
      const taken = pool.take(wanted.profile);
      return taken && fromPool(taken, wanted.limits, shape, image);
    },

    /** Whether one is ready for such a request. */
    hasWarm(shape: WarmShape, image: ImageInfo): boolean {
      const wanted = profiles.profileFor(shape, image, '');
      return wanted !== undefined && pool.has(wanted.profile.key);
    },

    /** One for a run that none was ready for. */
    async open(asked: Asked, image: ImageInfo): Promise<Opened> {
      const { request, stop } = asked;
      const driver = drivers.choose(request);
      if (driver instanceof Problem) throw driver;
      coldUnderWay += 1;
      try {
        const look = await looks.look(image, stop.signal);
        if (look.content !== null) checkFits(look.content, request.limits);
        const next = await openNext(asked, image);
        if (next !== undefined) return next;
        const own = await openCold(driver, asked, image, look);
        const wanted = profiles.profileFor(request, image, '');
        if (wanted !== undefined) pool.reconsider(wanted.profile.key);
        return own;
      } finally {
        coldUnderWay -= 1;
      }
    },

    /** Tells what a run starts: the next one of its language is likely to be alike. */
    learn: profiles.learn,

    /** Keeps one sandbox at hand for each of these, and for no others without demand. */
    pinOnly(pins: Pin[]): void {
      const wanted = pins.flatMap(
        ({ shape, image, reference }) => profiles.profileFor(shape, image, reference) ?? [],
      );
      pool.pinOnly(wanted.map(({ profile }) => profile));
    },
  };
}

function sameLimits(a: SandboxLimits, b: SandboxLimits): boolean {
  return a.memoryBytes === b.memoryBytes && a.cpus === b.cpus && a.pids === b.pids;
}
