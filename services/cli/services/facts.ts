import type { Service } from '../../../shared/contracts/service.ts';
import type { Fact } from '../output/facts.ts';
import { formatDuration } from '../output/format.ts';

/** The facts about a service that are shown to a person. */
export function factsOf(service: Service): Fact[] {
  return [
    ['name', service.name],
    ['id', service.id],
    ['status', service.status],
    [
      'error',
      service.error ? `${service.error.title} (${service.error.code}): ${service.error.detail}` : undefined,
    ],
    ['image', service.image.reference],
    ['url', service.url ?? undefined],
    ['access', accessOf(service)],
    ...service.tcpPorts.map(({ port, host, hostPort }): Fact => [`port ${port}`, `${host}:${hostPort}`]),
    [
      'keep alive',
      service.keepAlive === 'forever' ? 'forever' : `${formatDuration(service.keepAlive)} without a call`,
    ],
    ['idle at', service.idleAt ?? undefined],
  ];
}

/** Who may call it. Only what the server reaches over HTTP asks for a key. */
function accessOf({ name, url, request }: Service): string | undefined {
  if (url === null) return undefined;
  if (request.public === true) return 'public: anybody may call it';
  return `private: an API key, or the URL of \`runlet open ${name}\``;
}
