import type { IncomingMessage } from 'node:http';
import type { ContainerId } from '../containers.ts';
import type { DockerClient } from './client.ts';
import { containerLost } from './containers.ts';
import { isRefusal, unavailable, unexpected } from './errors.ts';

/** The engine sends the head of its answer as soon as the wait has begun, and the body at the exit. */
export async function waitForExit(
  client: DockerClient,
  id: ContainerId,
  signal?: AbortSignal,
): Promise<{ exitCode: number }> {
  const answer = await client
    .stream({
      method: 'POST',
      path: `/containers/${encodeURIComponent(id)}/wait`,
      query: { condition: 'not-running' },
      signal,
    })
    .catch((error) => {
      throw isRefusal(error, 404) ? containerLost() : unexpected(error, 'wait for the container');
    });
  return readExit(answer, client.shown, signal);
}

async function readExit(
  answer: IncomingMessage,
  shown: string,
  signal?: AbortSignal,
): Promise<{ exitCode: number }> {
  answer.socket?.setTimeout(0);
  const onAbort = () => answer.destroy();
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  let text = '';
  try {
    for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  } catch (error) {
    signal?.throwIfAborted();
    throw unavailable(shown, 'the connection broke during a wait', error);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
  signal?.throwIfAborted();
  const exitCode = exitCodeIn(text);
  if (exitCode === undefined) throw unavailable(shown, 'it ended a wait without an answer');
  return { exitCode };
}

function exitCodeIn(text: string): number | undefined {
  try {
    const code = (JSON.parse(text) as { StatusCode?: unknown }).StatusCode;
    return typeof code === 'number' ? code : undefined;
  } catch {
    return undefined;
  }
}
