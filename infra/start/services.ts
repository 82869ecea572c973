import { join } from 'node:path';
import { type Child, startChild } from '../parts/child.ts';
import type { ChildRegister } from '../parts/child-register.ts';
import { nodeFlags } from '../parts/node-flags.ts';
import type { Say } from '../parts/say.ts';
import type { Settings } from './settings.ts';
import { type Supervised, supervise } from './supervise.ts';

export type Service = Supervised<Child>;
export type ServiceName = 'gateway' | 'worker' | 'notifier';

/** Starts one of services/NAME/main.ts by this very Node, configured by its environment alone. */
export function startService(
  name: ServiceName,
  settings: Settings,
  env: NodeJS.ProcessEnv,
  register: ChildRegister,
  say: Say,
): Promise<Service> {
  return supervise(
    `The ${name}`,
    (onCrash) =>
      startChild({
        name,
        command: process.execPath,
        args: [...nodeFlags(name), join(settings.root, 'services', name, 'main.ts')],
        cwd: settings.root,
        env,
        logFile: join(settings.dataDir, 'logs', `${name}.log`),
        register,
        onCrash,
      }),
    say,
  );
}

/** What the services are told, on top of what the user's environment says. */
export function serviceEnvironment(
  settings: Settings,
  parts: { redisUrl: string; secretKey: string; apiKey: string; isKept?: boolean },
  env: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  return {
    ...env,
    RUNLET_DATA_DIR: settings.dataDir,
    RUNLET_HOST: settings.host,
    RUNLET_PORT: String(settings.port),
    RUNLET_REDIS_URL: parts.redisUrl,
    RUNLET_SECRET_KEY: parts.secretKey,
    // What the operator says counts; what we keep is put where it is not known, and replaces nothing.
    [parts.isKept ? 'RUNLET_KEPT_API_KEY' : 'RUNLET_API_KEY']: parts.apiKey,
    RUNLET_DRAIN_MS: String(settings.drainMs),
    // Behind a proxy only its operator knows better.
    RUNLET_PUBLIC_URL: env.RUNLET_PUBLIC_URL || settings.url,
  };
}
