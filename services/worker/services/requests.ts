import { buffer } from 'node:stream/consumers';
import { BulkheadRejectedError, bulkhead } from 'cockatiel';
import type { BlobStore } from '../../../shared/blobs/blob-store.ts';
import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import type { OperationStore } from '../../../shared/stores/operations.ts';
import type { WorkerCommand } from '../../../shared/stores/workers.ts';
import { encodingOf } from '../../../shared/utf8.ts';
import type { ContainerState, LogLine } from '../engine/containers.ts';
import type { Engine } from '../engine/engine.ts';
import { serviceName } from '../labels.ts';
import { openExecSandbox } from '../sandbox/drivers/engine/exec-sandbox.ts';
import { FileTooLarge } from '../sandbox/init/session.ts';
import { startFailure } from '../sandbox/program/start-failure.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

type FileCommand = Extract<WorkerCommand, { kind: 'service-file' }>;
type LogsCommand = Extract<WorkerCommand, { kind: 'service-logs' }>;

/** Files under way at once, and those that wait for that: who asks gives up after a minute. */
const maxTransfers = 8;
const maxWaiting = 64;
/** A follower that says nothing any more is left after this. */
const readCheckMs = 5_000;

/** What is asked of a running service beside HTTP: its output, its files. */
export function createServiceRequests(options: {
  engine: Engine;
  initPath: string;
  operations: OperationStore;
  blobs: BlobStore;
  /** The largest file that is read. */
  maxFileBytes: number;
  workerId: string;
  log: Log;
}) {
  const { engine, operations, blobs, workerId, maxFileBytes } = options;
  const transfers = bulkhead(maxTransfers, maxWaiting);

  async function containerOf(service: string): Promise<ContainerState> {
    const found = await engine.containers.inspect(serviceName(service));
    if (found === null)
      throw new Problem('conflict', 'The service has no container at present: start it, then try again.');
    return found;
  }

  /**
   * Written by root's hands as the image's user: in a folder that is not the user's, too, as the files are that came with the request.
   * The init of an older container, and that in gVisor, do not know how: there it is the user who writes.
   */
  async function openWriter(container: ContainerState): Promise<Sandbox> {
    const image = await engine.images.inspect(container.image);
    const user = image?.user ?? '';
    const isRoot = /^(?:(?:0|root)(?::(?:0|root))?)?$/.test(user);
    if (isRoot) return openExecSandbox(engine, container.id, options.initPath);
    const asRoot = { args: ['files', user], user: '0:0' };
    return openExecSandbox(engine, container.id, options.initPath, asRoot).catch((error: Problem) => {
      if (error.code !== 'internal') throw error;
      return openExecSandbox(engine, container.id, options.initPath);
    });
  }

  async function transfer({ service, act, path, blob }: FileCommand, signal: AbortSignal): Promise<void> {
    const container = await containerOf(service);
    signal.throwIfAborted();
    const sandbox = await (act === 'write'
      ? openWriter(container)
      : openExecSandbox(engine, container.id, options.initPath));
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
        // One that could not be written fails what is asked next.
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
    // A store may reject with an error of its own.
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
     * One file, by the init's protocol: no link is followed, nothing of it runs on the host. The signal breaks it off, and nothing of what was
     * read stays then.
     */
    async file(command: FileCommand, signal: AbortSignal): Promise<void> {
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

    /** Past and, if followed, coming lines, for as long as somebody reads them. */
    async logs({ operation, service, tail, follow }: LogsCommand): Promise<void> {
      const abort = new AbortController();
      const check = setInterval(() => {
        operations.isRead(operation).then(
          (read) => read || abort.abort(),
          () => {},
        );
      }, readCheckMs);
      try {
        const lines = await engine.containers.logs((await containerOf(service)).id, {
          tail,
          follow,
          signal: abort.signal,
        });
        for await (const line of lines) {
          const { stream, data, at } = line as LogLine;
          const encoding = encodingOf(data);
          await operations.append(operation, {
            kind: 'log',
            worker: workerId,
            stream,
            data: data.toString(encoding),
            encoding,
            at,
          });
        }
      } catch (error) {
        if (!abort.signal.aborted) throw error;
      } finally {
        clearInterval(check);
      }
    },
  };
}
