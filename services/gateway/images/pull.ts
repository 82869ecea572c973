import { z } from 'zod';
import { pullLayer } from '../../../shared/contracts/events.ts';
import { problemOrNull } from '../../../shared/contracts/problem.ts';
import type { RunPolicy } from '../../../shared/contracts/run-request.ts';
import { isImageId, parseImageReference } from '../../../shared/images.ts';
import { registryFault } from '../../../shared/registries/policy.ts';
import type { OperationEvent } from '../../../shared/stores/operations.ts';
import type { Gateway } from '../gateway.ts';
import { eventStream, sseComment, sseMessage } from '../http/sse.ts';
import type { Done } from './operation.ts';

export type PullParts = Pick<Gateway, 'stopWaiting'>;

export function pullBody(policy: RunPolicy) {
  return z
    .strictObject({
      image: z
        .string()
        .min(1)
        .max(512)
        .meta({ examples: ['busybox:latest'] }),
    })
    .superRefine(({ image }, context) => {
      const refuse = (message: string) =>
        context.addIssue({ code: 'custom', path: ['image'], message, input: image });
      if (isImageId(image))
        refuse('is an image’s id, which no registry knows: name the image by its reference');
      else if (parseImageReference(image) === undefined) refuse('is not a valid image reference');
      else {
        const fault = registryFault(image, policy.registries);
        if (fault !== undefined) refuse(fault);
      }
    })
    .meta({ id: 'PullRequest' });
}

export const pullResult = z
  .object({
    image: z.string(),
    workers: z.array(z.object({ worker: z.string(), digest: z.string().nullable(), error: problemOrNull })),
  })
  .meta({ id: 'PullResult' });

const pullProgress = z
  .object({
    type: z.literal('pull'),
    worker: z.string(),
    reference: z.string(),
    status: z.literal('pulling'),
    layers: z.array(pullLayer),
  })
  .meta({ id: 'PullProgress', description: 'The whole state of the pull on one worker.' });

const pullDone = pullResult
  .extend({ type: z.literal('done') })
  .meta({ id: 'PullDone', description: 'The outcomes of all workers: the last event.' });

/** The data of one event of `pullStream`. */
export const pullStreamEvent = z
  .discriminatedUnion('type', [pullProgress, pullDone])
  .meta({ id: 'PullStreamEvent', description: 'An event of a pull.' });

export type PullResult = z.infer<typeof pullResult>;

const resultOf = ({ worker, digest, error }: Done) => ({ worker, digest, error });

/** The outcomes of all workers, once they are all there. */
export async function pullOutcome(
  image: string,
  events: AsyncGenerator<OperationEvent, void>,
): Promise<PullResult> {
  const workers: PullResult['workers'] = [];
  for await (const event of events) if (event.kind === 'done') workers.push(resultOf(event));
  return { image, workers };
}

/** Events `pull` with the progress on each worker, then one `done` with all outcomes. */
export function pullStream(
  gateway: PullParts,
  image: string,
  events: AsyncGenerator<OperationEvent, void>,
): ReadableStream<Uint8Array> {
  const workers: PullResult['workers'] = [];
  let wake = () => {};
  let fetching = false;
  let arrived: IteratorResult<OperationEvent, void> | undefined;
  let failure: Error | undefined;
  const fetch = () => {
    if (fetching) return;
    fetching = true;
    events
      .next()
      .then(
        (result) => {
          arrived = result;
        },
        (error: Error) => {
          failure = error;
        },
      )
      .then(() => {
        fetching = false;
        wake();
      });
  };
  return eventStream({
    closing: gateway.stopWaiting.signal,
    heartbeat: sseComment('heartbeat'),
    async listen(notify) {
      wake = notify;
      return () => {};
    },
    async read() {
      if (failure !== undefined) throw failure;
      const result = arrived;
      arrived = undefined;
      if (result === undefined) {
        fetch();
        return { text: '', done: false };
      }
      if (result.done === true)
        return {
          text: sseMessage('done', JSON.stringify({ image, workers } satisfies PullResult)),
          done: true,
        };
      const event = result.value;
      if (event.kind === 'done') {
        workers.push(resultOf(event));
        return { text: '', done: false, again: true };
      }
      if (event.kind !== 'pull') return { text: '', done: false, again: true };
      const { worker, reference, layers } = event;
      return {
        text: sseMessage('pull', JSON.stringify({ worker, reference, status: 'pulling', layers })),
        done: false,
      };
    },
  });
}
