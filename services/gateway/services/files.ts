import { Readable } from 'node:stream';
import { transferKey } from '../../../shared/blobs/blob-store.ts';
import { pathFault } from '../../../shared/contracts/run-files.ts';
import { newId } from '../../../shared/ids.ts';
import { kernelFolder, kernelFolderFault } from '../../../shared/kernel-folders.ts';
import { badField, Problem } from '../../../shared/problems.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';
import { noContent } from '../http/answers.ts';
import { readBytes } from '../http/body.ts';
import type { GatewayContext } from '../http/context.ts';
import { type App, mount } from '../http/mount.ts';
import { askWorker, holderOf, type WorkerOperationParts } from '../worker-operation.ts';
import { type ActionParts, setWanted } from './actions.ts';
import * as documents from './documents.ts';
import { ownService, type ServiceLoadParts } from './load.ts';

export type FileParts = Pick<Gateway, 'blobs' | 'env'> &
  ActionParts &
  ServiceLoadParts &
  WorkerOperationParts;

const operationMs = 60_000;
/** Downloads at once. Each file stays in the store of blobs until its client has read it, however slow that is. */
const maxDownloads = 16;
const path = '/v1/services/{id}/files/{path}';

/** Files of a running service. Gateway and worker pass their bytes through the store of blobs, not through Redis. */
export function mountFiles(app: App, gateway: FileParts): void {
  const options = { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES };
  let downloads = 0;

  async function target(
    c: GatewayContext,
  ): Promise<{ record: ServiceRecord; file: string; blob: string; worker: string; signal: AbortSignal }> {
    const record = await ownService(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
    const file = c.req.param('path') ?? '';
    const fault = pathFault(file) ?? (kernelFolder(file) && kernelFolderFault);
    if (fault !== undefined) throw badField('path', fault);
    const worker = holderOf(record);
    await setWanted(gateway, record, 'used');
    const blob = transferKey(record.head.tenant, newId('trf'));
    return { record, file, worker, blob, signal: c.req.raw.signal };
  }

  const ask = (
    { record, file, worker, blob, signal }: Awaited<ReturnType<typeof target>>,
    act: 'read' | 'write' | 'remove',
  ) =>
    askWorker(
      gateway,
      worker,
      (operation) => ({ kind: 'service-file', operation, service: record.head.id, act, path: file, blob }),
      operationMs,
      signal,
    );

  mount(
    app,
    options,
    { method: 'get', path, rest: 'path', document: documents.readFileDocument },
    async (c) => {
      if (downloads >= maxDownloads)
        throw new Problem(
          'overloaded',
          `${maxDownloads} files of services are being fetched: try again in a moment.`,
          { retryAfterSeconds: 1 },
        );
      downloads += 1;
      let blob: string | undefined;
      const over = async () => {
        downloads -= 1;
        if (blob !== undefined) await gateway.blobs.removeAll(blob).catch(() => {});
      };
      try {
        const wanted = await target(c);
        blob = wanted.blob;
        await ask(wanted, 'read');
        const bytes = await gateway.blobs.get(blob);
        if (bytes === undefined)
          throw new Problem('internal', 'The file was read and then not found: try again.');
        bytes.once('close', over);
        return new Response(Readable.toWeb(bytes) as ReadableStream, {
          headers: { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' },
        });
      } catch (error) {
        await over();
        throw error;
      }
    },
  );

  mount(
    app,
    options,
    { method: 'put', path, rest: 'path', document: documents.writeFileDocument },
    async (c) => {
      const wanted = await target(c);
      try {
        await gateway.blobs.put(wanted.blob, Buffer.from(await readBytes(c, options.maxBodyBytes)));
        await ask(wanted, 'write');
        return noContent();
      } finally {
        await gateway.blobs.removeAll(wanted.blob).catch(() => {});
      }
    },
  );

  mount(
    app,
    options,
    { method: 'delete', path, rest: 'path', document: documents.removeFileDocument },
    async (c) => {
      await ask(await target(c), 'remove');
      return noContent();
    },
  );
}
