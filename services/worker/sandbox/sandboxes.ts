import { stackOf } from '../../../shared/contracts/limits.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { newId } from '../../../shared/ids.ts';
import type { Log } from '../../../shared/log.ts';
import { Problem, type ProblemCode } from '../../../shared/problems.ts';
import type { ContainerSpec, FileMount, UpdatableLimits } from '../engine/containers.ts';
import type { Engine, EngineInfo } from '../engine/engine.ts';
import type { ImageInfo } from '../engine/images.ts';
import type { WorkerEnvironment } from '../environment.ts';
import { languageOf } from '../images/image-of.ts';
import { labelsFor, type SandboxOwner, sandboxName, warmLabelsFor, warmName } from '../labels.ts';
import type { Egress } from '../network/egress.ts';
import type { InitVolume } from './drivers/engine/init-volume.ts';
import { gvisorRuntime } from './gvisor.ts';
import { checkFits, fits, type ImageContent, memoryFor } from './image/image-content.ts';
import { createImageLooks, type ImageLook } from './image/image-looks.ts';
import { SandboxLost, StartFailed, type StepSpec } from './init/session.ts';
import { isInside, runFolders, workdirFor, workFolder } from './program/folders.ts';
import { createSandbox, type Sandbox } from './sandbox.ts';
import { runSeccompProfile } from './seccomp.ts';
import { type SandboxShape, sandboxSpecFor, updatableLimits } from './spec.ts';
import type { Lease, RunUsers } from './users/run-users.ts';
import type { RunUser } from './users/user.ts';
import { createDisposer } from './warm/disposer.ts';
import { createExpectations, type ExpectedProgram } from './warm/expected-program.ts';
import { createWarmPool, type Taken, type WarmProfile } from './warm/warm-pool.ts';
import { warmUp } from './warm/warm-up.ts';

/** A sandbox for one attempt. `release` destroys it and what was made beside it. */
export type Opened = {
  sandbox: Sandbox;
  /** Null: it is within a container that somebody else made. */
  folders: { path: string }[] | null;
  /** It was ready before the run came. */
  warm: boolean;
  release: () => Promise<void>;
};

/** One that was made ahead. */
export type WarmOpened = Opened & {
  /** It is this attempt's now; resolves when it has that run's limits. */
  adopt(owner: { runId: string; attempt: number }): Promise<void>;
};

/** What is to be known of an attempt that wants a sandbox. */
type Attempt = {
  holder: { runId: string; tenant: string; attempt: number };
  request: RunRequest;
  stop: { signal: AbortSignal };
};

type WarmShape = SandboxShape & Pick<RunRequest, 'network' | 'language'>;

/** What a sandbox is kept at hand for: an image, and the limits that it is made with. */
export type Pin = { shape: WarmShape; image: ImageInfo; reference: string };

/** A sandbox to be made. */
type Making = {
  name: string;
  look: ImageLook;
  lease: Lease;
  /** @param files in the place of the image's own */
  specFor(user: RunUser, files: FileMount[]): ContainerSpec;
};

export type Sandboxes = Awaited<ReturnType<typeof createSandboxes>>;

/** Makes the sandboxes of attempts: warm where one is ready, else cold, network included. */
export async function createSandboxes(options: {
  engine: Engine;
  info: () => EngineInfo;
  env: WorkerEnvironment;
  workerId: string;
  instance: string;
  egress: Egress;
  initVolume: InitVolume;
  users: RunUsers;
  /** Whether a program runs, or is about to. */
  busy: () => boolean;
  /** Whether somebody waits for room. */
  wanted: () => boolean;
  memoryPressed: () => boolean;
  log: Log;
}) {
  const { engine, env, egress, initVolume, users, log } = options;
  const policy = { seccompProfile: await runSeccompProfile(), gvisorRuntime };
  const { init } = initVolume;
  const looks = createImageLooks({
    engine,
    policy,
    exampleUser: users.example,
    init,
    worker: { worker: options.workerId, instance: options.instance },
    newId: () => newId('lok'),
    folder: env.RUNLET_DATA_DIR,
    log,
  });
  let coldUnderWay = 0;
  const expectations = createExpectations();

  const disposer = createDisposer({ busy: () => coldUnderWay > 0 || options.busy(), wanted: options.wanted });
  const pool = createWarmPool({
    newId: () => newId('wrm'),
    most: env.RUNLET_WARM_MAX,
    busy: () => !disposer.quiet(),
    opening: () => coldUnderWay > 0,
    pressed: options.memoryPressed,
    log,
  });

  const hasIsolation = (isolation: SandboxShape['isolation']) =>
    isolation !== 'gvisor' || options.info().runtimes.includes(gvisorRuntime);

  function checkIsolation(isolation: SandboxShape['isolation']): void {
    if (!hasIsolation(isolation))
      throw new Problem(
        'isolation_unavailable',
        'This worker’s engine has no runsc runtime: use isolation "container", or have gVisor installed.',
      );
  }

  /**
   * Started, with what its image has in its folders, and with a user that nobody else has until it is gone. Someone may have pruned the
   * engine's volumes: then the init, and the image's account files, are brought anew, once.
   */
  async function makeStarted({ name, look, lease, specFor }: Making, signal?: AbortSignal): Promise<Sandbox> {
    let missing = false;
    const attempt = async (anew: boolean) => {
      const files = await look.filesFor(lease, anew);
      const note = (code: ProblemCode) => (error: unknown) => {
        const isFile = files.some(({ source }) => String((error as Error).cause).includes(source));
        missing = error instanceof Problem && (error.code === code || isFile);
        throw error;
      };
      // A create refuses a file that is not there; it makes a volume that is not there, empty: then there is no init.
      const sandbox = await createSandbox(engine, specFor(lease.user, files), look.userName).catch(
        note('start_failed'),
      );
      try {
        await sandbox.start().catch(note('command_not_found'));
        await fill(sandbox, look, signal);
        return { ...sandbox, remove: () => lease.end(sandbox.remove) };
      } catch (error) {
        await sandbox.remove().catch(() => {});
        throw error;
      }
    };
    try {
      return await attempt(false).catch(async (error) => {
        if (!missing) throw error;
        log.warn({ volume: init.volume.name }, 'the sandbox init is missing on the engine; bringing it anew');
        await initVolume.provide();
        return attempt(true);
      });
    } catch (error) {
      // It may be there all the same: an answer was lost, or it could not be removed.
      void lease.end(() => engine.containers.remove(name)).catch(() => {});
      throw error;
    }
  }

  async function fill(sandbox: Sandbox, { content }: ImageLook, signal?: AbortSignal): Promise<void> {
    if (content === null) return;
    try {
      await sandbox.session.bring(content.frames.read(), signal);
    } catch (error) {
      if (error instanceof SandboxLost && (await sandbox.lostBy()) === 'memory')
        throw new Problem(
          'start_failed',
          'What the image has in its VOLUMEs and work folder is kept in memory, and does not fit into limits.memoryBytes. Raise it.',
          { cause: error },
        );
      if (!(error instanceof StartFailed)) throw error;
      throw new Problem(
        'start_failed',
        `What the image has in its VOLUMEs and work folder could not be brought into the sandbox (${error.message}).`,
        { cause: error },
      );
    }
  }

  /** Whether sandboxes may be kept ready that hold this: it is the node's memory that they hold it in. */
  const isSmall = (content: ImageContent) => memoryFor(content) <= maxWarmContentBytes;

  /** What a warm sandbox for this request would be like; `undefined` when none can serve it. */
  function profileFor(
    shape: WarmShape,
    image: ImageInfo,
    reference: string,
  ): { profile: WarmProfile; limits: UpdatableLimits } | undefined {
    const content = looks.known(image.id)?.content ?? null;
    if (content !== null && !(isSmall(content) && fits(content, shape.limits))) return undefined;
    if (shape.network !== 'none' || shape.writable || !hasIsolation(shape.isolation)) return undefined;
    const workdir = workdirFor(shape.workdir, image.workdir);
    // A folder elsewhere is made with the container, or not at all.
    const usual = workdir === workdirFor(undefined, image.workdir);
    if (!usual && ![workFolder, '/tmp'].some((folder) => folder === workdir || isInside(folder, workdir)))
      return undefined;
    const { isolation, limits } = shape;
    const common = { limits, isolation, writable: false };
    const updatable = updatableLimits(limits);
    // runsc cannot change the limits of a container that runs (google/gvisor#9554): there they are made with it.
    const fixed = isolation === 'gvisor' ? ` ${JSON.stringify(updatable)}` : '';
    const key = `${image.id} ${isolation} ${limits.diskBytes}${fixed}`;
    const profile: WarmProfile = {
      key,
      image: reference,
      isolation,
      network: 'none',
      make: async (id) => {
        checkIsolation(isolation);
        const owner = { warm: id, worker: options.workerId, instance: options.instance };
        const identity = { name: warmName(id), labels: warmLabelsFor(owner) };
        const look = await looks.look(image);
        if (look.content !== null) {
          if (!isSmall(look.content)) throw new Error('what the image has is too large to be kept ready');
          checkFits(look.content, limits);
        }
        const lease = users.spare();
        if (lease === undefined) throw new Error('there are few users left, and they are for runs');
        const specFor: Making['specFor'] = (user, files) =>
          sandboxSpecFor(common, image, identity, { ...policy, user }, init, undefined, files);
        const sandbox = await makeStarted({ name: identity.name, look, lease, specFor });
        try {
          await sandbox.session.ready;
        } catch (error) {
          await sandbox.remove();
          throw error;
        }
        return sandbox;
      },
      warmUp: ({ session, userName }) =>
        warmUp(session, init.path, image, reference, expectedFor(shape, image, userName)),
    };
    return { profile, limits: updatable };
  }

  const foldersOf = (shape: Pick<SandboxShape, 'workdir'>, image: ImageInfo) =>
    runFolders(image.volumes, workdirFor(shape.workdir, image.workdir)).map((path) => ({ path }));

  const usualFolders = (image: ImageInfo) => foldersOf({ workdir: workFolder }, image);

  function expectedFor(shape: WarmShape, image: ImageInfo, userName: string): ExpectedProgram | undefined {
    const language = languageOf(shape);
    // Debian's runsc does not tell a tracer of the calls of what it traces.
    if (language === undefined || shape.isolation === 'gvisor') return undefined;
    const program = expectations.expect(language, image, usualFolders(image), userName);
    return program && { ...program, stackBytes: stackOf(shape.limits) };
  }

  /** One of the pool's, in the hands of a run with these limits. */
  function fromPool(
    { id, sandbox }: Taken,
    limits: UpdatableLimits,
    request: SandboxShape,
    image: ImageInfo,
  ): WarmOpened {
    const limited = sameLimits(sandbox.limits, limits) ? Promise.resolve() : sandbox.update(limits);
    limited.catch(() => {});
    let naming: NodeJS.Timeout | undefined;
    return {
      sandbox,
      folders: foldersOf(request, image),
      warm: true,
      adopt: ({ runId, attempt }) => {
        // For those who look at the engine: nothing depends on it.
        const name = sandboxName({ run: runId, attempt });
        naming = setTimeout(() => sandbox.rename(name).catch(() => {}), renameAfterMs);
        return limited;
      },
      release: async () => {
        clearTimeout(naming);
        try {
          await disposer.dispose(() => sandbox.remove());
        } finally {
          pool.forget(id);
        }
      },
    };
  }

  /** One that is in the making, or just became ready; `undefined` when there is none to wait for. */
  async function openNext({ request, holder }: Attempt, image: ImageInfo): Promise<Opened | undefined> {
    const wanted = profileFor(request, image, '');
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

  async function openOwn(
    { request, holder, stop }: Attempt,
    image: ImageInfo,
    look: ImageLook,
  ): Promise<Opened> {
    const owner: SandboxOwner = {
      run: holder.runId,
      tenant: holder.tenant,
      attempt: holder.attempt,
      worker: options.workerId,
      instance: options.instance,
    };
    const network = request.network === 'egress' ? await egress.open(owner) : undefined;
    const close = async () => {
      if (network !== undefined) await egress.close(owner);
    };
    try {
      const identity = { name: sandboxName(owner), labels: labelsFor(owner) };
      const lease = await users.take(stop.signal);
      const specFor: Making['specFor'] = (user, files) =>
        sandboxSpecFor(request, image, identity, { ...policy, user }, init, network, files);
      const sandbox = await makeStarted({ name: identity.name, look, lease, specFor }, stop.signal);
      return {
        sandbox,
        folders: foldersOf(request, image),
        warm: false,
        release: async () => {
          try {
            await disposer.dispose(() => sandbox.remove());
          } finally {
            await close();
          }
        },
      };
    } catch (error) {
      await close();
      throw error;
    }
  }

  return {
    pool,
    looks,
    /** Used sandboxes are removed at once from now on. */
    hurry: disposer.hurry,

    /** One that was made ahead, if there is one for this request; whoever takes it releases it. */
    takeWarm(request: WarmShape, image: ImageInfo, reference: string): WarmOpened | undefined {
      // Of one that nobody has looked into yet it is not known whether there shall be any.
      if (image.volumes.length > 0 && looks.known(image.id) === undefined) return undefined;
      const wanted = profileFor(request, image, reference);
      if (wanted === undefined) return undefined;
      const taken = pool.take(wanted.profile);
      return taken && fromPool(taken, wanted.limits, request, image);
    },

    /** Whether one is ready for such a request. */
    hasWarm(request: WarmShape, image: ImageInfo): boolean {
      const wanted = profileFor(request, image, '');
      return wanted !== undefined && pool.has(wanted.profile.key);
    },

    /** One for a run that none was ready for. */
    async open(attempt: Attempt, image: ImageInfo): Promise<Opened> {
      checkIsolation(attempt.request.isolation);
      coldUnderWay += 1;
      try {
        const look = await looks.look(image, attempt.stop.signal);
        if (look.content !== null) checkFits(look.content, attempt.request.limits);
        const next = await openNext(attempt, image);
        if (next !== undefined) return next;
        const own = await openOwn(attempt, image, look);
        const wanted = profileFor(attempt.request, image, '');
        if (wanted !== undefined) pool.reconsider(wanted.profile.key);
        return own;
      } finally {
        coldUnderWay -= 1;
      }
    },

    /** Tells what a run starts: the next one of its language is likely to be alike. */
    learn(request: WarmShape, image: ImageInfo, userName: string, first: StepSpec): void {
      const language = languageOf(request);
      if (language !== undefined) expectations.learn(language, image, usualFolders(image), first, userName);
    },

    /** Keeps one sandbox at hand for each of these, and for no others without demand. */
    pinOnly(pins: Pin[]): void {
      const wanted = pins.flatMap(({ shape, image, reference }) => profileFor(shape, image, reference) ?? []);
      pool.pinOnly(wanted.map(({ profile }) => profile));
    },
  };
}

/** Of an image's files, in a sandbox that waits: a pool of 32 such takes half a gibibyte. */
const maxWarmContentBytes = 16 * 1024 * 1024;

/** Short runs are over before their container's name could be of use to anybody. */
const renameAfterMs = 1_000;

function sameLimits(a: UpdatableLimits, b: UpdatableLimits): boolean {
  return a.memoryBytes === b.memoryBytes && a.cpus === b.cpus && a.pids === b.pids;
}
