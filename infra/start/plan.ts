import { seedTools } from '../images/seeds.ts';
import { ensureTools } from '../parts/apt.ts';
import { findEngine } from '../parts/engine.ts';
import { engineTools } from '../parts/own-engine.ts';
import { redisTool } from '../parts/redis.ts';
import { registryTool } from '../parts/registry.ts';
import type { Say } from '../parts/say.ts';
import { publicRegistryReachable } from './public-registry.ts';
import type { Settings } from './settings.ts';

/** What this machine has, and so what Runlet still has to start. */
export interface Plan {
  /** DOCKER_HOST of an existing Engine. Undefined: an Engine must be started. */
  foundEngine: string | undefined;
  /** Can images be pulled from the public registry? */
  online: boolean;
  startsRegistry: boolean;
  startsRedis: boolean;
}

/** Finds out what is there, then installs everything that is missing in one step. */
export async function makePlan(settings: Settings, say: Say): Promise<Plan> {
  const foundEngine = settings.engine === 'own' ? undefined : await findEngine();
  const online = await publicRegistryReachable(settings.dataDir);
  const plan: Plan = {
    foundEngine,
    online,
    startsRegistry:
      settings.embeddedRegistry === 'always' ||
      (settings.embeddedRegistry === 'auto' && foundEngine === undefined && !online),
    startsRedis: settings.redisUrl === undefined,
  };
  await ensureTools(
    [
      ...(plan.startsRedis ? [redisTool] : []),
      ...(foundEngine === undefined ? engineTools : []),
      ...(plan.startsRegistry ? [registryTool, ...seedTools] : []),
    ],
    say,
  );
  return plan;
}
