import { type AttachInput, attachInput, signalNumbers } from '../../../shared/contracts/attach.ts';
import { Problem } from '../../../shared/problems.ts';
import { type AttachMessage, maxEntryBytes } from '../../../shared/stores/attach.ts';
import type { Gateway } from '../gateway.ts';
import { hintFrom } from '../hint.ts';
import { isStoreError, storeProblem } from '../http/store-errors.ts';
import { textProblem, validationProblem } from '../http/zod-problem.ts';

export type AttachInputParts = Pick<Gateway, 'attachInput' | 'keys' | 'wakeups'>;

/** How often it is tried again while there is no room. */
const pollMs = 250;

/** A client's message, checked; a problem when it is none. */
export function parseInput(data: Buffer, isBinary: boolean): AttachInput | Problem {
  if (isBinary) return new Problem('validation_failed', 'Send messages as JSON text, not as binary frames.');
  let value: unknown;
  try {
    value = JSON.parse(data.toString('utf8'));
  } catch {
    return new Problem('invalid_json', 'The message is not valid JSON: send one JSON object in each.');
  }
  const fault = textProblem(value);
  if (fault !== undefined) return fault;
  const parsed = attachInput.safeParse(value);
  return parsed.success ? parsed.data : validationProblem(parsed.error, { subject: 'the message' });
}

/** The message as entries for the worker: stdin in pieces of bounded size. */
function* entriesOf(input: AttachInput): Generator<AttachMessage> {
  switch (input.type) {
    case 'stdin': {
      const data = Buffer.from(input.data, input.encoding);
      for (let at = 0; at < data.length; at += maxEntryBytes)
        yield { type: 'stdin', data: data.subarray(at, at + maxEntryBytes) };
      return;
    }
    case 'signal':
      yield { type: 'signal', signal: signalNumbers[input.signal] };
      return;
    case 'eof':
    case 'resize':
      yield input;
      return;
    default:
      input satisfies never;
  }
}

/** Hands a message on; waits while there is no room. A problem when Redis cannot take it. */
export async function forwardInput(
  gateway: AttachInputParts,
  runId: string,
  input: AttachInput,
  stop: AbortSignal,
): Promise<Problem | undefined> {
  for (const entry of entriesOf(input)) {
    while (!stop.aborted) {
      try {
        const outcome = await gateway.attachInput.push(runId, entry);
        if (outcome === 'sent') break;
        // Nobody reads the input any more: the client learns it from the exit.
        if (outcome === 'ended') return undefined;
      } catch (error) {
        if (isStoreError(error)) return storeProblem(error);
        throw error;
      }
      await room(gateway, runId, stop);
    }
  }
  return undefined;
}

/** Waits until there may be room again. */
async function room({ wakeups, keys }: AttachInputParts, runId: string, stop: AbortSignal): Promise<void> {
  if (stop.aborted) return;
  const hint = hintFrom(wakeups, keys.attachRoom(runId));
  stop.addEventListener('abort', hint.give);
  await hint.wait(pollMs);
  stop.removeEventListener('abort', hint.give);
  hint.end();
}
