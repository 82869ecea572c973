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
import type { WarmProfile } from './shelf.ts';
import { warmUp } from './warm-up.ts';

/** The parts of a request that decide whether a sandbox made ahead can serve it, and what is started in it ahead. */
export type WarmShape = SandboxShape & Pick<RunRequest, 'language'>;

/** The most bytes of an image's files in a sandbox that waits. A pool of 32 of them takes half a gibibyte. */
const maxWarmContentBytes = 16 * 1024 * 1024;

/** Of an interpreter that is started and held (Python, Node.js). */
const heldBytes = 24 * 1024 * 1024;

/** Decides which sandboxes are made ahead, and how. */
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
    // Debian's runsc does not report the system calls of a traced program to its tracer.
    if (language === undefined || shape.isolation === 'gvisor') return undefined;
    const program = expectations.expect(language, image, usualFolders(image), userName);
    return program && { ...program, stackBytes: stackOf(shape.limits) };
  }

  return {
    /** The profile of a warm sandbox for this request. `undefined` when none can serve it. */
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
      // runsc cannot change the limits of a running container (google/gvisor#9554), so there a sandbox is made with
      // them.
      const fixed = isolation === 'gvisor' ? ` ${JSON.stringify(own)}` : '';
      const key = `${driver.name} ${image.id} ${isolation} ${limits.diskBytes}${fixed}`;
      // The work folder is set with each run.
      const made = { limits, isolation, network: 'none', writable: false, workdir: undefined } as const;
      const profile: WarmProfile = {
        key,
        image: reference,
        imageId: image.id,
        isolation,
        driver,
        idleBytes:
          driver.pace.idleBytes +
          (content === null ? 0 : memoryFor(content)) +
          (languageOf(shape)?.hold === undefined ? 0 : heldBytes),
        make: (id) => make(driver, id, made, image),
        warmUp: ({ session, userName }) =>
          warmUp(session, initPath, image, reference, expectedFor(shape, image, userName)),
      };
      return { profile, limits: own };
    },

    /** Records what a run starts, because the next run of the same language is likely to start the same. */
    learn(shape: WarmShape, image: ImageInfo, userName: string, first: StepSpec): void {
      const language = languageOf(shape);
      if (language !== undefined) expectations.learn(language, image, usualFolders(image), first, userName);
    },
  };
}

export const foldersOf = (shape: Pick<SandboxShape, 'workdir'>, image: ImageInfo) =>
  runFolders(image.volumes, workdirFor(shape.workdir, image.workdir)).map((path) => ({ path }));

const usualFolders = (image: ImageInfo) => foldersOf({ workdir: workFolder }, image);

/** A work folder elsewhere can only be made together with the container. */
function startsInUsualFolder(shape: Pick<SandboxShape, 'workdir'>, image: ImageInfo): boolean {
  const workdir = workdirFor(shape.workdir, image.workdir);
  if (workdir === workdirFor(undefined, image.workdir)) return true;
  return [workFolder, '/tmp'].some((folder) => folder === workdir || isInside(folder, workdir));
}

/** Whether sandboxes with this content may be kept ready. The content takes the node's memory. */
const isSmall = (content: ImageContent) => memoryFor(content) <= maxWarmContentBytes;
