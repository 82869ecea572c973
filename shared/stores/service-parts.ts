import { maskService, type ServiceRequest } from '../contracts/service.ts';
import { packRequest, unpackRequest } from '../packed-request.ts';
import type { Sealer } from '../secrets.ts';
import { type PlainService, plainServiceFields, type ServiceHead } from './service-record.ts';

/**
 * Like a run's request (run-parts.ts), a service's request is stored in Redis in a plain and a sealed part. Its secrets are
 * kept as long as the service, so they are in the sealed part. The contexts bind each part to its service.
 */
const payloadContext = (id: string) => `service-payload:${id}`;
/** For an earlier version: the request as JSON, next to a head that has all of it except the secrets. */
const specContext = (id: string) => `service:${id}`;

/** Variables that set the language of a program's messages. */
const isLocale = (name: string) => /^(LANG|LC_[A-Z]+)$/.test(name);

export function serviceHeadOf(
  head: Omit<ServiceHead, 'request' | 'told'>,
  request: ServiceRequest,
): ServiceHead {
  const plain: Record<string, unknown> = {};
  for (const name of plainServiceFields) plain[name] = request[name];
  const told = { files: request.files.length > 0, locale: Object.keys(request.env).filter(isLocale) };
  return { ...head, request: plain as PlainService, told };
}

/** Everything that is not in the head. The secret of the webhook is stored with its address (outbox.ts). */
export function sealService(sealer: Sealer, id: string, request: ServiceRequest): Buffer {
  const written = { ...request, ...noPlainField, webhook: maskService(request).webhook };
  return sealer.seal(packRequest(written), payloadContext(id));
}

/** Fields that are `undefined` are left out of the JSON. */
const noPlainField = Object.fromEntries(plainServiceFields.map((name) => [name, undefined]));

/** The request, with the values of `env`. Throws if it cannot be opened. */
export function openService(
  sealer: Sealer,
  head: ServiceHead,
  payload: Buffer | null | undefined,
  spec: Buffer | null | undefined,
): ServiceRequest | undefined {
  if (payload)
    return {
      ...head.request,
      ...unpackRequest(sealer.openBytes(payload, payloadContext(head.id))),
    } as ServiceRequest;
  return spec ? (JSON.parse(sealer.open(spec, specContext(head.id))) as ServiceRequest) : undefined;
}
