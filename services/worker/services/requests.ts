import type { BlobStore } from '../../../shared/blobs/blob-store.ts';
import type { OperationStore } from '../../../shared/stores/operations.ts';
import type { Engine } from '../engine/engine.ts';
import { createFileRequests } from './file-requests.ts';
import { createLogRequests } from './log-requests.ts';

/** What is asked of a running service beside HTTP: its output, its files. */
export function createServiceRequests(options: {
  engine: Pick<Engine, 'containers' | 'images'>;
  initPath: string;
  operations: OperationStore;
  blobs: BlobStore;
  /** The largest file that is read. */
  maxFileBytes: number;
  workerId: string;
}) {
  return {
    file: createFileRequests(options).carryOut,
    logs: createLogRequests({ ...options, containers: options.engine.containers }).carryOut,
  };
}
