import type { OperationStore } from '../../../shared/stores/operations.ts';
import type { WorkerCommand } from '../../../shared/stores/workers.ts';
import { encodingOf } from '../../../shared/utf8.ts';
import type { Containers, LogLine } from '../engine/containers.ts';
import { containerOf } from './container-of.ts';

type LogsCommand = Extract<WorkerCommand, { kind: 'service-logs' }>;

/** Whether somebody still reads is looked at so often. */
const readCheckMs = 5_000;

/** Sends what the containers of services write to whoever asks for it. */
export function createLogRequests(options: {
  containers: Containers;
  operations: OperationStore;
  workerId: string;
}) {
  const { containers, operations, workerId } = options;
  return {
    /** Past and, if followed, coming lines, for as long as somebody reads them. */
    async carryOut({ operation, service, tail, follow }: LogsCommand): Promise<void> {
      const abort = new AbortController();
      const check = setInterval(() => {
        operations.isRead(operation).then(
          (read) => read || abort.abort(),
          () => {},
        );
      }, readCheckMs);
      try {
        const { id } = await containerOf(containers, service);
        const lines = await containers.logs(id, { tail, follow, signal: abort.signal });
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
