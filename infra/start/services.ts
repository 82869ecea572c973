import { join } from 'node:path';
import { secretVariables } from '../../shared/config.ts';
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

type Secrets = {
  redisUrl: string;
  secretKey: string;
  apiKey: string;
  /** It is ours, of an earlier start, and not the operator's word. */
  isKept?: boolean;
};

/** What any program on this machine may want: where things are, which language, whom to trust, through which proxy. */
const common =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|NODE_(?:OPTIONS|ENV|PATH|DEBUG|EXTRA_CA_CERTS|COMPILE_CACHE|NO_WARNINGS|USE_ENV_PROXY|TLS_REJECT_UNAUTHORIZED)|NO_COLOR|FORCE_COLOR|SSL_CERT_(?:FILE|DIR)|(?:https?|all|no)_proxy|(?:HTTPS?|ALL|NO)_PROXY)$/;
/** Who drives the Engine, perhaps through SSH. */
const ofEngine = /^(?:DOCKER_\w+|SSH_AUTH_SOCK)$/;
/** The command line's own; of the gateway only what `npm start` gives it. */
const ofClients = /^RUNLET_(?:(?:KEPT_)?API_KEY|WEBHOOK_SECRET)$/;
/** Who keeps artifacts. */
const ofArtifacts = /^RUNLET_S3_/;

/**
 * What one of the programs is told: of the user's environment only what it needs, since whoever gets at a program gets at that. The admin
 * key is the gateway's alone; the notifier has nothing to do with artifacts or the Engine, nor the gateway with the latter.
 */
export function serviceEnvironment(
  name: ServiceName,
  settings: Settings,
  { redisUrl, secretKey, apiKey, isKept }: Secrets,
  env: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const isFor = (variable: string) => {
    if (ofArtifacts.test(variable)) return name !== 'notifier';
    if (ofEngine.test(variable)) return name === 'worker';
    return common.test(variable) || (variable.startsWith('RUNLET_') && !ofClients.test(variable));
  };
  return {
    ...Object.fromEntries(Object.entries(env).filter(([variable]) => isFor(variable))),
    RUNLET_DATA_DIR: settings.dataDir,
    RUNLET_HOST: settings.host,
    RUNLET_PORT: String(settings.port),
    RUNLET_REDIS_URL: redisUrl,
    RUNLET_SECRET_KEY: secretKey,
    // What the operator says counts; what we keep is put where it is not known, and replaces nothing.
    ...(name === 'gateway' && { [isKept ? 'RUNLET_KEPT_API_KEY' : 'RUNLET_API_KEY']: apiKey }),
    RUNLET_DRAIN_MS: String(settings.drainMs),
    // Behind a proxy only its operator knows better.
    RUNLET_PUBLIC_URL: env.RUNLET_PUBLIC_URL || settings.url,
  };
}

/** What the worker is told beside: its Engine, and that images may come from the embedded registry, whose address is loopback. */
export function workerEnvironment(
  env: NodeJS.ProcessEnv,
  engine: { dockerHost: string; registry: string | undefined },
): NodeJS.ProcessEnv {
  const allowed = [env.RUNLET_REGISTRY_ALLOW, engine.registry].filter(Boolean);
  return { ...env, DOCKER_HOST: engine.dockerHost, RUNLET_REGISTRY_ALLOW: allowed.join(',') };
}

/** Those of the user's environment that no part beside the services needs: Redis, the Engine and the registry get none of them. */
export function dropSecrets(env: NodeJS.ProcessEnv = process.env): void {
  for (const name of secretVariables) delete env[name];
}
