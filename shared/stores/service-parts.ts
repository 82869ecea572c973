import { maskService, type ServiceRequest } from '../contracts/service.ts';
import { packRequest, unpackRequest } from '../packed-request.ts';
import type { Sealer } from '../secrets.ts';
import { type PlainService, plainServiceFields, type ServiceHead } from './service-record.ts';

/**
 * As a run's request (run-parts.ts), a service's lies in Redis in a plain and a sealed part. Its secrets live as long as it does, so they
 * are in the sealed one. The contexts bind each to its service.
 */
const payloadContext = (id: string) => `service-payload:${id}`;
/** Of an earlier version: the request as JSON, beside a head that has all of it but the secrets. */
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

/** All that is not in the head. The secret of its webhook is with its address (outbox.ts). */
export function sealService(sealer: Sealer, id: string, request: ServiceRequest): Buffer {
  const written = { ...request, ...noPlainField, webhook: maskService(request).webhook };
  return sealer.seal(packRequest(written), payloadContext(id));
}

/** JSON leaves them out. */
const noPlainField = Object.fromEntries(plainServiceFields.map((name) => [name, undefined]));

/** The request with the values of `env`. Throws where it does not open. */
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
