import type { Readable } from 'node:stream';
import type { ContainerId, LogOptions } from '../containers.ts';
import type { DockerClient } from './client.ts';
import { containerLost } from './containers.ts';
import { isRefusal, unavailable, unexpected } from './errors.ts';
import { LogLines } from './log-lines.ts';

export async function containerLogs(
  client: DockerClient,
  id: ContainerId,
  options: LogOptions,
): Promise<Readable> {
  const { tail, follow, since, signal } = options;
  const answer = await client
    .stream({
      method: 'GET',
      path: `/containers/${encodeURIComponent(id)}/logs`,
      query: {
        ...{ stdout: 1, stderr: 1, timestamps: 1, tail, follow: follow ? 1 : 0 },
        ...(since !== undefined && { since: unixTime(since) }),
      },
      signal,
    })
    .catch((error) => {
      throw isRefusal(error, 404) ? containerLost() : unexpected(error, 'read the container’s log');
    });
  // A service may be silent for days.
  answer.socket?.setTimeout(0);
  const lines = new LogLines((why) => unavailable(client.shown, why));
  const onAbort = () => lines.destroy(asError(signal?.reason));
  answer.on('error', (cause) =>
    lines.destroy(unavailable(client.shown, 'the connection broke during the log', cause)),
  );
  lines.on('close', () => {
    signal?.removeEventListener('abort', onAbort);
    answer.destroy();
  });
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  return answer.pipe(lines);
}

const asError = (reason: unknown) => (reason instanceof Error ? reason : new Error(String(reason)));

/** RFC 3339 as Docker wants it: seconds, and nanoseconds behind a point. */
function unixTime(time: string): string {
  const seconds = Math.floor(Date.parse(time) / 1000);
  const [, fraction = ''] = /\.(\d{1,9})/.exec(time) ?? [];
  return `${seconds}.${fraction.padEnd(9, '0')}`;
}
