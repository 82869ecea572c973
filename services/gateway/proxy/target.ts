import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import { serviceName } from '../../../shared/contracts/service.ts';
import { isId } from '../../../shared/ids.ts';
import type { GatewayEnvironment } from '../environment.ts';

/** The service that a request is for, and the part of its target that the container gets. */
export type Target = { path: string } & (
  | { kind: 'name'; tenant: string; name: string }
  | { kind: 'path'; id: string }
  /** There can be no service that is called so, in the host or behind `/s/`. */
  | { kind: 'nobody'; asked: string }
  /** `/s/{id}`, which is redirected: without a slash at the end, relative links on the service's first page would lead elsewhere. */
  | { kind: 'slash' }
);

type Name =
  | { kind: 'name'; tenant: string; name: string }
  | { kind: 'nobody'; asked: string }
  | { kind: 'own' };

/** RFC 9110 §4.2, §7.2: a name, maybe with a port. An address never belongs to a service. */
const hostField = /^([a-z0-9._-]*[a-z0-9_-])\.?(?::\d{0,5})?$/i;

/**
 * Finds out whether a request is for a service: `{name}.{domain}` for the tenant `default`, `{name}.{tenant}.{domain}` for others, or
 * `/s/{id}/…` at any other host. `undefined`: it is the API's.
 */
export function targetFinder(env: Pick<GatewayEnvironment, 'RUNLET_SERVICE_DOMAIN' | 'RUNLET_PUBLIC_URL'>) {
  const suffix = `.${env.RUNLET_SERVICE_DOMAIN}`;
  // The gateway may itself be reached below the domain, as in api.example.com.
  const own = new URL(env.RUNLET_PUBLIC_URL).hostname;
  // Clients make up hosts: what is found out for them is bounded.
  const known = new LRUCache<string, Name>({ max: 1_000 });

  function nameOf(host: string): Name {
    const name = hostField.exec(host)?.[1]?.toLowerCase();
    if (name === undefined || !name.endsWith(suffix) || name === own || isIP(name) !== 0)
      return { kind: 'own' };
    const [label, tenant = 'default', ...more] = name.slice(0, -suffix.length).split('.');
    return more.length === 0 && tenant !== '' && serviceName.safeParse(label).success
      ? { kind: 'name', tenant, name: label as string }
      : { kind: 'nobody', asked: name.slice(0, -suffix.length) };
  }

  return (host: string, target: string): Target | undefined => {
    let name = known.get(host);
    if (name === undefined) {
      name = nameOf(host);
      known.set(host, name);
    }
    if (name.kind !== 'own') return { ...name, path: target };
    return target.startsWith('/s/') ? byPath(target) : undefined;
  };
}

/** What a request calls the service that it is for: its name, its id, or what is neither. */
export function askedFor(target: Target): string {
  if (target.kind === 'slash') return '';
  const asked = target.kind === 'name' ? target.name : target.kind === 'path' ? target.id : target.asked;
  return asked.slice(0, 64);
}

function byPath(target: string): Target {
  const length = target.slice(3).search(/[/?]/);
  const at = length === -1 ? target.length : length + 3;
  const id = target.slice(3, at);
  const path = target.slice(at);
  if (!isId('svc', id)) return { kind: 'nobody', asked: id, path };
  return path.startsWith('/') ? { kind: 'path', id, path } : { kind: 'slash', path: `/s/${id}/${path}` };
}

/** RFC 9112 §3.2.2: a target in absolute form names the host, whatever the Host field says. */
export function originForm(
  target: string,
  hostHeader: string | undefined,
): { host: string; target: string } | undefined {
  const absolute = /^https?:\/\/([^/?#@\\]+)([/?][^#]*)?$/i.exec(target);
  if (absolute === null)
    return target.startsWith('/') || target === '*' ? { host: hostHeader ?? '', target } : undefined;
  const [, host = '', path = '/'] = absolute;
  return { host, target: path.startsWith('/') ? path : `/${path}` };
}
