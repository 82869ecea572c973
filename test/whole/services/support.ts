import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../../shared/contracts/service.ts';
import { docker } from '../../support/docker.ts';
import type { Runlet } from '../../support/runlet.ts';

/** The API of services as a client uses it. */
export function servicesOf(runlet: Pick<Runlet, 'url' | 'apiKey' | 'call'>, dockerHost: string) {
  async function call<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const answer = await runlet.call(method, path, body, headers);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
  const wait = { prefer: 'wait=60' };
  return {
    call,
    /** Starts a service and waits until it is ready, or has reached another final state. */
    start: (request: Record<string, unknown>) => call<Service>('POST', '/v1/services', request, wait),
    act: (name: string, action: string, body?: unknown) =>
      call<Service>('POST', `/v1/services/${name}/${action}`, body, wait),
    read: (name: string) => call<Service>('GET', `/v1/services/${name}`),
    async remove(name: string, query = ''): Promise<void> {
      await call('DELETE', `/v1/services/${name}${query}`);
    },
    /** Every service there is. */
    async removeAll(query = ''): Promise<void> {
      const { data } = await call<{ data: Service[] }>('GET', '/v1/services?limit=100');
      for (const { id } of data) await call('DELETE', `/v1/services/${id}${query}`);
    },
    async until(name: string, holds: (service: Service) => boolean): Promise<Service> {
      for (;;) {
        const service = await call<Service>('GET', `/v1/services/${name}`);
        if (holds(service)) return service;
        await sleep(50);
      }
    },
    /** A request to a service by its path; the API key is sent unless other headers are given. */
    fetch: (service: Service, path = '', init: RequestInit = {}) =>
      fetch(`${runlet.url}${service.path}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${runlet.apiKey}`, ...(init.headers as Record<string, string>) },
      }),
    container: (service: Service) => `runlet-${service.id}`,
    /** Names of everything on the engine that belongs to this service. */
    async left(service: Service): Promise<string[]> {
      const all = await Promise.all([
        docker(dockerHost, 'ps', '-a', '--format', '{{.Names}}', '--filter', `name=${service.id}`),
        docker(dockerHost, 'network', 'ls', '--format', '{{.Name}}', '--filter', `name=${service.id}`),
        docker(dockerHost, 'volume', 'ls', '--format', '{{.Name}}', '--filter', `name=${service.id}`),
      ]);
      return all.flatMap((text) => text.split('\n')).filter((name) => name !== '');
    },
  };
}
