import { buffer } from 'node:stream/consumers';
import { BulkheadRejectedError, bulkhead } from 'cockatiel';
import type { BlobStore } from '../../../shared/blobs/blob-store.ts';
import { Problem } from '../../../shared/problems.ts';
import type { WorkerCommand } from '../../../shared/stores/workers.ts';
import type { ContainerState } from '../engine/containers.ts';
import type { Engine } from '../engine/engine.ts';
import { openExecSandbox } from '../sandbox/drivers/engine/exec-sandbox.ts';
import { FileTooLarge } from '../sandbox/init/session.ts';
import { startFailure } from '../sandbox/program/start-failure.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { containerOf } from './container-of.ts';

type FileCommand = Extract<WorkerCommand, { kind: 'service-file' }>;

/** Files that are moved at once, and those that wait for their turn: whoever asks gives up after a minute. */
const maxTransfers = 8;
const maxWaiting = 64;

/** Reads, writes and removes single files in the containers of services. */
export function createFileRequests(options: {
  engine: Pick<Engine, 'containers' | 'images'>;
  initPath: string;
  blobs: BlobStore;
  /** The largest file that is read. */
  maxFileBytes: number;
}) {
  const { engine, blobs, maxFileBytes } = options;
  const transfers = bulkhead(maxTransfers, maxWaiting);

  /**
   * Root writes, and the file is the image's user's, as the files are that came with the request: so it can be in a folder that is not the
   * user's. The init of an older container, and that in gVisor, cannot do this: there the user writes.
   */
  async function openWriter(container: ContainerState): Promise<Sandbox> {
    const image = await engine.images.inspect(container.image);
    const user = image?.user ?? '';
    const isRoot = /^(?:(?:0|root)(?::(?:0|root))?)?$/.test(user);
    if (isRoot) return openExecSandbox(engine.containers, container.id, options.initPath);
    const asRoot = { args: ['files', user], user: '0:0' };
    return openExecSandbox(engine.containers, container.id, options.initPath, asRoot).catch(
      (error: Problem) => {
        if (error.code !== 'internal') throw error;
        return openExecSandbox(engine.containers, container.id, options.initPath);
      },
    );
  }

  async function transfer({ service, act, path, blob }: FileCommand, signal: AbortSignal): Promise<void> {
    const container = await containerOf(engine.containers, service);
    signal.throwIfAborted();
    const sandbox = await (act === 'write'
      ? openWriter(container)
      : openExecSandbox(engine.containers, container.id, options.initPath));
    const { session } = sandbox;
    const leave = () => session.close();
    signal.addEventListener('abort', leave, { once: true });
    try {
      signal.throwIfAborted();
      await session.ready;
      if (act === 'write') {
        const source = await blobs.get(blob);
        if (source === undefined)
          throw new Problem('internal', 'The bytes of the file were lost on their way: try again.');
        await session.prepare('/', [{ path, data: await buffer(source), mode: 0o644 }]);
        // A file that could not be written fails the next request.
        await session.list(0);
      } else {
        await session.prepare('/', []);
        if (act === 'read') await keep(blob, session, path);
        else await session.unlink(path);
      }
      signal.throwIfAborted();
    } catch (error) {
      const failure = startFailure(error);
      if (failure === undefined) throw error;
      throw new Problem('not_found', `/${path}: ${failure.message}`);
    } finally {
      signal.removeEventListener('abort', leave);
      await sandbox.remove();
    }
  }

  async function keep(blob: string, session: Sandbox['session'], path: string): Promise<void> {
    let tooLarge: FileTooLarge | undefined;
    const bytes = async function* () {
      try {
        yield* session.read(path, maxFileBytes);
      } catch (error) {
        if (error instanceof FileTooLarge) tooLarge = error;
        throw error;
      }
    };
    // A store may reject with an error of its own in the place of this one.
    await blobs.put(blob, bytes()).catch((error: Error) => {
      if (tooLarge === undefined) throw error;
      throw new Problem(
        'payload_too_large',
        `/${path} has ${tooLarge.sizeBytes} bytes, and at most ${maxFileBytes} are fetched (the operator’s RUNLET_MAX_FILE_BYTES): fetch parts of it, or have that raised.`,
      );
    });
  }

  return {
    /**
     * One file, by the init's protocol: no link is followed, and nothing of the container runs on the host. The signal breaks it off; what
     * was read by then is removed.
     */
    async carryOut(command: FileCommand, signal: AbortSignal): Promise<void> {
      try {
        await transfers.execute(() => transfer(command, signal), signal);
      } catch (error) {
        if (command.act === 'read') await blobs.removeAll(command.blob).catch(() => {});
        if (signal.aborted)
          throw new Problem(
            'worker_lost',
            'The worker stopped on the way, or nobody waited any more: try again.',
          );
        if (error instanceof BulkheadRejectedError)
          throw new Problem(
            'overloaded',
            'The worker moves as many files as it can: try again in a moment.',
            {
              retryAfterSeconds: 1,
            },
          );
        throw error;
      }
    },
  };
}
