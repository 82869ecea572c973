import type { IncomingMessage } from 'node:http';
import { parseImageReference } from '../../../../shared/images.ts';
import { Problem } from '../../../../shared/problems.ts';
import type { PullOptions } from '../images.ts';
import type { DockerClient } from './client.ts';
import { EngineRefusal, unavailable } from './errors.ts';
import { lines } from './lines.ts';
import { missingFromMirrors } from './mirrors.ts';
import { pullProblem } from './pull-errors.ts';
import { type PullLine, PullProgress } from './pull-progress.ts';

/** An engine on a fast network sends hundreds of lines a second; more than ten are of no use to a reader. */
const progressEveryMs = 100;

export async function pullImage(
  client: DockerClient,
  reference: string,
  options: PullOptions,
): Promise<void> {
  const { credentials, onProgress, signal } = options;
  const parsed = parseImageReference(reference);
  if (parsed === undefined)
    throw new Problem('image_not_found', `"${reference}" is not a valid image reference.`);
  const name = parsed.familiar.replace(/@.*$|:[^:/]*$/, '');
  const explain = async (said: string, cause?: unknown): Promise<Problem> => {
    if (cause === undefined) client.said(`pull ${reference}`, said);
    const problem = pullProblem(parsed.familiar, said, credentials !== undefined, cause);
    if (problem.code !== 'registry_unavailable') return problem;
    return (await missingFromMirrors(client, reference, signal)) ?? problem;
  };
  let answer: IncomingMessage;
  try {
    answer = await client.stream({
      method: 'POST',
      path: '/images/create',
      // Without a tag the engine would pull all tags. A digest is given in place of the tag.
      query: { fromImage: name, tag: parsed.digest ?? parsed.tag ?? 'latest' },
      registryAuth: credentials && { ...credentials, serveraddress: parsed.registry },
      signal,
      // The engine sends the head only when the registry has answered: the caller bounds that time.
      deadlineMs: 0,
    });
  } catch (error) {
    if (!(error instanceof EngineRefusal)) throw error;
    throw await explain(error.message, error);
  }
  const failure = await follow(answer, client.shown, onProgress, signal);
  if (failure !== undefined) throw await explain(failure);
}

/** Reads the progress to its end. Returns the engine's error if it sent one. */
async function follow(
  answer: IncomingMessage,
  shown: string,
  onProgress: PullOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  answer.socket?.setTimeout(0);
  const progress = new PullProgress();
  let reportedAt = 0;
  let failure: string | undefined;
  // Closing the connection makes the engine stop the pull.
  const onAbort = () => answer.destroy();
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    for await (const line of lines(answer)) {
      const said = JSON.parse(line) as PullLine;
      failure ??= said.errorDetail?.message ?? said.error;
      if (!progress.add(said) || Date.now() - reportedAt < progressEveryMs) continue;
      reportedAt = Date.now();
      onProgress?.(progress.layers);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw unavailable(shown, 'the connection broke during a pull', error);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    answer.destroy();
  }
  signal?.throwIfAborted();
  if (failure === undefined) onProgress?.(progress.layers);
  return failure;
}
