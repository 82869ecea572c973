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
import type { Taken } from './warm/shelf.ts';
import { createWarmPool } from './warm/warm-pool.ts';
import { createWarmProfiles, foldersOf, type WarmShape } from './warm/warm-profile.ts';

/** A sandbox for one attempt. `release` destroys it and everything that was made for it. */
export type Opened = {
  sandbox: Sandbox;
  /** What only a sandbox of our own has. `null`: this one is within a container that somebody else made. */
  own: {
    folders: { path: string }[];
    userName: string;
    disk: ContainerDisk;
    /** As `update` of the driver's sandbox. */
    update: OwnSandbox['update'];
  } | null;
  /** Whether it was ready before the run came. */
  warm: boolean;
  release: () => Promise<void>;
};

/** A sandbox that was made ahead. */
export type WarmOpened = Opened & {
  /** Gives it to this attempt. Resolves when it has that run's limits. */
  adopt(holder: Pick<Holder, 'runId' | 'attempt'>): Promise<void>;
};

/** The future owner of a sandbox. */
type Holder = { runId: string; tenant: string; attempt: number };

/** What a sandbox is needed for. */
type Asked = { request: WarmShape; holder: Holder; stop: { signal: AbortSignal } };

/** What a sandbox is kept ready for: an image, and the limits that it is made with. */
export type Pin = { shape: WarmShape; image: ImageInfo; reference: string };

export type Sandboxes = ReturnType<typeof createSandboxes>;

/** A sandbox is labelled with its run only after this time: before that, short runs are already over. */
const claimAfterMs = 1_000;

/** Gives attempts their sandboxes: a warm one if one is ready, else one that is made for the attempt. */
export function createSandboxes(options: {
  drivers: SandboxDrivers;
  looks: ImageLooks;
  users: RunUsers;
  seccompProfile: string;
  worker: Omit<WarmOwner, 'warm'>;
  maxWarm: number;
  maxWarmBytes: number;
  /** Whether a program runs or is about to run. */
  busy: () => boolean;
  /** Whether somebody waits for room. */
  wanted: () => boolean;
  memoryPressed: () => boolean;
  log: Log;
}) {
  const { drivers, looks, users, seccompProfile } = options;
  const profiles = createWarmProfiles(options);
  let coldUnderWay = 0;

  const disposers = new Map(
    drivers.all.map(({ name, pace }) => [
      name,
      createDisposer({
        busy: () => coldUnderWay > 0 || options.busy(),
        wanted: options.wanted,
        maxAtOnce: pace.removing,
      }),
    ]),
  );
  const dispose = (driver: Pick<SandboxDriver, 'name'>, sandbox: OwnSandbox) =>
    disposers.get(driver.name)?.dispose(() => sandbox.remove()) ?? sandbox.remove();
  const pool = createWarmPool({
    newId: () => newId('wrm'),
    max: options.maxWarm,
    maxBytes: options.maxWarmBytes,
    busy: () => ![...disposers.values()].every((disposer) => disposer.quiet()),
    opening: () => coldUnderWay > 0,
    pressed: options.memoryPressed,
    log: options.log,
  });

  const ownOf = (sandbox: OwnSandbox, shape: WarmShape, image: ImageInfo): Opened['own'] => ({
    folders: foldersOf(shape, image),
    userName: sandbox.userName,
    disk: sandbox.disk,
    update: (limits) => sandbox.update(limits),
  });

  /** Takes one from the pool for a run with these limits. */
  function fromPool(
    { id, sandbox, driver }: Taken,
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
          await dispose(driver, sandbox);
        } finally {
          pool.forget(id);
        }
      },
    };
  }

  /** A sandbox that is being made or just became ready. `undefined` when there is none to wait for. */
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
      release: () => dispose(driver, sandbox),
    };
  }

  return {
    pool,
    /** Used sandboxes are removed at once from now on. */
    hurry(): void {
      for (const disposer of disposers.values()) disposer.hurry();
    },

    /** Removes an image from the engine. The sandboxes that nobody has any more go first: those made ahead, and used ones. */
    removeImage: (imageId: string, remove: () => Promise<boolean>): Promise<boolean> =>
      pool.setAside(imageId, async () => {
        await Promise.all([...disposers.values()].map((disposer) => disposer.flush()));
        return remove();
      }),

    /** A sandbox that was made ahead, if there is one for this request, which has waited so long. Whoever takes it must release it. */
    takeWarm(
      shape: WarmShape,
      image: ImageInfo,
      reference: string,
      waitedMs: number,
    ): WarmOpened | undefined {
      // Before the image was looked into, it is not known whether warm sandboxes are possible for it.
      if (image.volumes.length > 0 && looks.known(image.id) === undefined) return undefined;
      const wanted = profiles.profileFor(shape, image, reference);
      if (wanted === undefined) return undefined;
      const taken = pool.take(wanted.profile, waitedMs);
      return taken && fromPool(taken, wanted.limits, shape, image);
    },

    /** Whether one is ready for such a request. */
    countWarm(shape: WarmShape, image: ImageInfo): number {
      const wanted = profiles.profileFor(shape, image, '');
      return wanted === undefined ? 0 : pool.count(wanted.profile.key);
    },

    /** Opens a sandbox for a run that found none ready. */
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

    /** Records what a run starts, because the next run of the same language is likely to start the same. */
    learn: profiles.learn,

    /** Keeps one sandbox ready for each of these. For others only on demand. */
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
