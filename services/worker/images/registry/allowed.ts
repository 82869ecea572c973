import { operatorEntries, validEntries } from '../../../../shared/registries/policy.ts';
import type { EngineRegistries } from '../../engine/engine.ts';

/** Where a pull may lead beside public addresses: to what the operator of Runlet names, and to what the engine is configured with. */
export const allowedEntries = (
  env: { RUNLET_REGISTRY_ALLOW: string[]; RUNLET_REGISTRIES: string[] },
  { mirrors, named }: Pick<EngineRegistries, 'mirrors' | 'named'>,
): string[] => [...operatorEntries(env), ...validEntries([...named, ...mirrors.flatMap(hostOf)])];

/** A mirror is one port of a host. */
function hostOf(mirror: string): string[] {
  const url = URL.parse(mirror);
  return url === null ? [] : [`${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`];
}
