import { Problem } from '../../../shared/problems.ts';
import type { ImageInfo } from '../engine/images.ts';
import type { OwnSandbox, SandboxDriver } from './driver.ts';
import type { ImageContent } from './image/image-content.ts';
import type { ImageLook } from './image/image-looks.ts';
import { SandboxLost, StartFailed } from './init/session.ts';
import { type SandboxShape, type SandboxSpec, sandboxSpecFor } from './spec.ts';
import type { Lease } from './users/run-users.ts';

/** A sandbox to be made. */
export type Making = {
  shape: SandboxShape;
  image: ImageInfo;
  look: ImageLook;
  owner: SandboxSpec['owner'];
  lease: Lease;
  seccompProfile: string;
};

/**
 * Makes a sandbox, and copies what the image has in the sandbox's folders. The lease is given back when nothing of the
 * sandbox is left, also if it cannot be made. Rejects with the signal's reason, or a Problem.
 */
export async function makeSandbox(
  driver: SandboxDriver,
  { look, ...making }: Making,
  signal?: AbortSignal,
): Promise<OwnSandbox> {
  const sandbox = await driver.make(await specFor(making, look), signal);
  if (look.content === null) return sandbox;
  try {
    await fill(sandbox, look.content, signal);
    return sandbox;
  } catch (error) {
    await sandbox.remove().catch(() => {});
    throw error;
  }
}

async function specFor(
  { shape, image, owner, lease, seccompProfile }: Omit<Making, 'look'>,
  { userName, filesFor }: ImageLook,
): Promise<SandboxSpec> {
  try {
    return sandboxSpecFor(shape, image, { owner, lease, userName, files: filesFor }, seccompProfile);
  } catch (error) {
    await lease.end(async () => {});
    throw error;
  }
}

async function fill(sandbox: OwnSandbox, { frames }: ImageContent, signal?: AbortSignal): Promise<void> {
  try {
    await sandbox.session.bring(frames.read(), signal);
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
