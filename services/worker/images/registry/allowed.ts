import {
  operatorEntries,
  type RegistryPolicy,
  registryPolicy,
  validEntries,
} from '../../../../shared/registries/policy.ts';
import type { EngineRegistries } from '../../engine/engine.ts';

export type AllowedRegistries = { entries: string[]; policy: RegistryPolicy };

/** The registries that a pull may lead to beside public addresses: those that the operator names, to Runlet or to the engine. */
export function allowedRegistries(env: { RUNLET_REGISTRY_ALLOW: string[]; RUNLET_REGISTRIES: string[] }) {
  let last: { registries: EngineRegistries; allowed: AllowedRegistries } | undefined;
  /** Read once for what an engine says, which stays until the engine comes back from being away. */
  return (registries: EngineRegistries): AllowedRegistries => {
    if (last?.registries !== registries) {
      const named = validEntries([...registries.named, ...registries.mirrors.flatMap(hostOf)]);
      const entries = [...operatorEntries(env), ...named];
      last = { registries, allowed: { entries, policy: registryPolicy(entries) } };
    }
    return last.allowed;
  };
}

/** A mirror is one port of a host. */
function hostOf(mirror: string): string[] {
  const url = URL.parse(mirror);
  return url === null ? [] : [`${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`];
}
