import { isJudging } from '../contracts/is-judging.ts';
import { maskRequest, type RunRequest } from '../contracts/run-request.ts';
import { packRequest, unpackRequest } from '../packed-request.ts';
import { firstStepOf } from '../run-plan.ts';
import type { Sealer } from '../secrets.ts';
import { type PlainRequest, plainFields, type RunHead } from './run-record.ts';

/**
 * A request is stored in Redis in three parts. Each part is in one place only:
 *
 *   head      plain     what is needed to place, list, filter and end runs; kept with the run
 *   payload   sealed    what the user wrote: code, stdin, files, arguments, …, secrets masked; kept with the run
 *   secrets   sealed    the values of `env`; removed when the run ends, and absent if there are none
 *
 * A webhook's secret is stored with its address, where the notifier finds it (outbox.ts). No worker needs it.
 *
 * The contexts bind each part to its run.
 */
const payloadContext = (id: string): string => `payload:${id}`;
const secretsContext = (id: string): string => `secrets:${id}`;
/** For a request of an earlier version, which sealed the whole request in one part, with its secrets. */
export const specContext = (id: string): string => `spec:${id}`;

/** @param head what is known of the run, without its request */
export function headOf(head: Omit<RunHead, 'request' | 'told'>, request: RunRequest): RunHead {
  return {
    ...head,
    request: plainOf(request),
    told: {
      firstStep: firstStepOf(request),
      artifacts: request.artifacts.length > 0,
      ...(isJudging(request) && { judging: true }),
    },
  };
}

export function sealParts(sealer: Sealer, id: string, request: RunRequest) {
  const written = { ...maskRequest(request), ...noPlainField };
  const secret = Object.keys(request.env).length > 0;
  return {
    payload: sealer.seal(packRequest(written), payloadContext(id)),
    secrets: secret ? sealer.seal(JSON.stringify(request.env), secretsContext(id)) : undefined,
  };
}

/** The request with secrets masked; throws where it cannot be read. */
export function openPayload(sealer: Sealer, head: RunHead, payload: Buffer): RunRequest {
  const written = unpackRequest(sealer.openBytes(payload, payloadContext(head.id)));
  const request = { ...head.request, ...written } as RunRequest;
  if (!Array.isArray(request.args) || typeof request.env !== 'object') throw new Error('it is no request');
  return request;
}

/** The request as it came; throws where it cannot be read. */
export function openParts(sealer: Sealer, head: RunHead, payload: Buffer, secrets: Buffer): RunRequest {
  const request = openPayload(sealer, head, payload);
  // Without `env` there are no secrets. With `env` the run must not start without them.
  if (Object.keys(request.env).length === 0) return request;
  return { ...request, env: JSON.parse(sealer.open(secrets, secretsContext(head.id))) };
}

/** Fields that are `undefined` are left out of the JSON. */
const noPlainField = Object.fromEntries(plainFields.map((name) => [name, undefined]));

function plainOf(request: RunRequest): PlainRequest {
  const plain: Record<string, unknown> = {};
  for (const name of plainFields) plain[name] = request[name];
  return plain as PlainRequest;
}
