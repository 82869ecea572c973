import { validEntries } from '../../../../shared/registries/policy.ts';
import type { EngineRegistries } from '../../engine/engine.ts';

/** Whom a pull may lead to beside public addresses: what the operator names, of Runlet's or of the engine's. */
export const allowedEntries = (
  env: { RUNLET_REGISTRY_ALLOW: string[]; RUNLET_REGISTRIES: string[] },
  { mirrors, named }: Pick<EngineRegistries, 'mirrors' | 'named'>,
): string[] =>
  validEntries([
    ...env.RUNLET_REGISTRY_ALLOW,
    ...env.RUNLET_REGISTRIES,
    ...named,
    ...mirrors.flatMap(hostOf),
  ]);

/** A mirror is one port of a host. */
function hostOf(mirror: string): string[] {
  const url = URL.parse(mirror);
  return url === null ? [] : [`${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`];
}
