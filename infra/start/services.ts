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

/** Starts one of services/NAME/main.ts with the same Node as this process. Its whole configuration is in its environment. */
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
  /** The key was made by us at an earlier start, and was not set by the operator. */
  isKept?: boolean;
};

/** What any program on this machine may need: paths, the language, trusted certificates, proxies. */
const common =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|NODE_(?:OPTIONS|ENV|PATH|DEBUG|EXTRA_CA_CERTS|COMPILE_CACHE|NO_WARNINGS|USE_ENV_PROXY|TLS_REJECT_UNAUTHORIZED)|NO_COLOR|FORCE_COLOR|SSL_CERT_(?:FILE|DIR)|(?:https?|all|no)_proxy|(?:HTTPS?|ALL|NO)_PROXY)$/;
/** For the program that uses the Engine, which may be reached by SSH. */
const ofEngine = /^(?:DOCKER_\w+|SSH_AUTH_SOCK)$/;
/** For the command line only. The gateway gets only the values that `npm start` sets for it. */
const ofClients = /^RUNLET_(?:(?:KEPT_)?API_KEY|WEBHOOK_SECRET)$/;
/** For the programs that store artifacts. */
const ofArtifacts = /^RUNLET_S3_/;

/**
 * The environment of one of the programs. It gets only the variables of the user that it needs, since an attacker who takes over a program
 * can read them. Only the gateway gets the admin key, and only the worker gets the Engine's variables. The notifier gets nothing about
 * artifacts.
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
    // A key that the operator sets takes effect. A key that we kept is added only if the gateway does not know it, and replaces nothing.
    ...(name === 'gateway' && { [isKept ? 'RUNLET_KEPT_API_KEY' : 'RUNLET_API_KEY']: apiKey }),
    RUNLET_DRAIN_MS: String(settings.drainMs),
    // Behind a proxy only the operator knows the public address, and sets it.
    RUNLET_PUBLIC_URL: env.RUNLET_PUBLIC_URL || settings.url,
  };
}

/** The worker also gets the address of its Engine, and the permission to pull from the embedded registry, whose address is on loopback. */
export function workerEnvironment(
  env: NodeJS.ProcessEnv,
  engine: { dockerHost: string; registry: string | undefined },
): NodeJS.ProcessEnv {
  const allowed = [env.RUNLET_REGISTRY_ALLOW, engine.registry].filter(Boolean);
  return { ...env, DOCKER_HOST: engine.dockerHost, RUNLET_REGISTRY_ALLOW: allowed.join(',') };
}

/** Removes the secrets of the user's environment. Only the services need them: Redis, the Engine and the registry must not get them. */
export function dropSecrets(env: NodeJS.ProcessEnv = process.env): void {
  for (const name of secretVariables) delete env[name];
}
