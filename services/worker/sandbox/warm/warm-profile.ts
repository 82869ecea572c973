import { stackOf } from '../../../../shared/contracts/limits.ts';
import type { RunRequest } from '../../../../shared/contracts/run-request.ts';
import { Problem } from '../../../../shared/problems.ts';
import type { ImageInfo } from '../../engine/images.ts';
import { languageOf } from '../../images/image-of.ts';
import type { WarmOwner } from '../../labels.ts';
import type { OwnSandbox, SandboxDriver } from '../driver.ts';
import type { SandboxDrivers } from '../drivers/choose.ts';
import { checkFits, fits, type ImageContent, memoryFor } from '../image/image-content.ts';
import type { ImageLooks } from '../image/image-looks.ts';
import type { StepSpec } from '../init/session.ts';
import { makeSandbox } from '../make-sandbox.ts';
import { isInside, runFolders, workdirFor, workFolder } from '../program/folders.ts';
import { initPath, type SandboxLimits, type SandboxShape, sandboxLimits } from '../spec.ts';
import type { RunUsers } from '../users/run-users.ts';
import { createExpectations, type ExpectedProgram } from './expected-program.ts';
import type { WarmProfile } from './warm-pool.ts';
import { warmUp } from './warm-up.ts';

/** What of a request says whether a sandbox made ahead can serve it, and what is started in it ahead. */
export type WarmShape = SandboxShape & Pick<RunRequest, 'language'>;

/** Of an image's files, in a sandbox that waits: a pool of 32 such takes half a gibibyte. */
const maxWarmContentBytes = 16 * 1024 * 1024;

/** Which sandboxes are made ahead, and how. */
export function createWarmProfiles(options: {
  drivers: SandboxDrivers;
  looks: ImageLooks;
  users: RunUsers;
  seccompProfile: string;
  worker: Omit<WarmOwner, 'warm'>;
}) {
  const { drivers, looks, users, seccompProfile } = options;
  const expectations = createExpectations();

  async function make(
    driver: SandboxDriver,
    id: string,
    shape: SandboxShape,
    image: ImageInfo,
  ): Promise<OwnSandbox> {
    const refusal = driver.refuses(shape);
    if (refusal !== null) throw refusal;
    const look = await looks.look(image);
    if (look.content !== null) {
      if (!isSmall(look.content)) throw new Error('what the image has is too large to be kept ready');
      checkFits(look.content, shape.limits);
    }
    const lease = users.spare();
    if (lease === undefined) throw new Error('there are few users left, and they are for runs');
    const owner = { of: 'warm', owner: { warm: id, ...options.worker } } as const;
    const sandbox = await makeSandbox(driver, { shape, image, look, owner, lease, seccompProfile });
    try {
      await sandbox.session.ready;
    } catch (error) {
      await sandbox.remove();
      throw error;
    }
    return sandbox;
  }

  function expectedFor(shape: WarmShape, image: ImageInfo, userName: string): ExpectedProgram | undefined {
    const language = languageOf(shape);
    // Debian's runsc does not tell a tracer of the calls of what it traces.
    if (language === undefined || shape.isolation === 'gvisor') return undefined;
    const program = expectations.expect(language, image, usualFolders(image), userName);
    return program && { ...program, stackBytes: stackOf(shape.limits) };
  }

  return {
    /** What a warm sandbox for this request would be like; `undefined` when none can serve it. */
    profileFor(
      shape: WarmShape,
      image: ImageInfo,
      reference: string,
    ): { profile: WarmProfile; limits: SandboxLimits } | undefined {
      const look = looks.known(image.id);
      const content = look?.content ?? null;
      if (content !== null && !(isSmall(content) && fits(content, shape.limits))) return undefined;
      if (shape.network !== 'none' || shape.writable) return undefined;
      const driver = drivers.choose(shape);
      if (driver instanceof Problem || !startsInUsualFolder(shape, image)) return undefined;
      const { isolation, limits } = shape;
      const own = sandboxLimits(limits);
      // runsc cannot change the limits of a container that runs (google/gvisor#9554): there they are made with it.
      const fixed = isolation === 'gvisor' ? ` ${JSON.stringify(own)}` : '';
      const key = `${driver.name} ${image.id} ${isolation} ${limits.diskBytes}${fixed}`;
      // The folder is set with each run.
      const made = { limits, isolation, network: 'none', writable: false, workdir: undefined } as const;
      const profile: WarmProfile = {
        key,
        image: reference,
        isolation,
        make: (id) => make(driver, id, made, image),
        warmUp: ({ session, userName }) =>
          warmUp(session, initPath, image, reference, expectedFor(shape, image, userName)),
      };
      return { profile, limits: own };
    },

    /** Tells what a run starts: the next one of its language is likely to be alike. */
    learn(shape: WarmShape, image: ImageInfo, userName: string, first: StepSpec): void {
      const language = languageOf(shape);
      if (language !== undefined) expectations.learn(language, image, usualFolders(image), first, userName);
    },
  };
}

export const foldersOf = (shape: Pick<SandboxShape, 'workdir'>, image: ImageInfo) =>
  runFolders(image.volumes, workdirFor(shape.workdir, image.workdir)).map((path) => ({ path }));

const usualFolders = (image: ImageInfo) => foldersOf({ workdir: workFolder }, image);

/** A folder elsewhere is made with the container, or not at all. */
function startsInUsualFolder(shape: Pick<SandboxShape, 'workdir'>, image: ImageInfo): boolean {
  const workdir = workdirFor(shape.workdir, image.workdir);
  if (workdir === workdirFor(undefined, image.workdir)) return true;
  return [workFolder, '/tmp'].some((folder) => folder === workdir || isInside(folder, workdir));
}

/** Whether sandboxes may be kept ready that hold this: it is the node's memory that they hold it in. */
const isSmall = (content: ImageContent) => memoryFor(content) <= maxWarmContentBytes;
