import type { SharedEnvironment } from './config.ts';
import type { RunPolicy } from './contracts/run-request.ts';
import { targetFault, targetPolicy } from './webhooks/target.ts';

/**
 * What the operator allows a run to ask for. The gateway and the workers read the same variables. So a request that a worker
 * makes itself, to keep a sandbox ready, has the same bounds as the requests of users.
 *
 * @param payloadBytes only the gateway has a variable for it; without it the default in contracts/ is used
 */
export function policyOf(env: SharedEnvironment, payloadBytes?: number): RunPolicy {
  const targets = targetPolicy(env);
  return {
    limits: {
      timeoutMs: env.RUNLET_MAX_TIMEOUT_MS,
      memoryBytes: env.RUNLET_MAX_MEMORY_BYTES,
      cpus: env.RUNLET_MAX_CPUS,
      pids: env.RUNLET_MAX_PIDS,
      outputBytes: env.RUNLET_MAX_OUTPUT_BYTES,
      diskBytes: env.RUNLET_MAX_DISK_BYTES,
    },
    allowWritable: env.RUNLET_ALLOW_WRITABLE,
    allowEgress: env.RUNLET_ALLOW_EGRESS,
    registries: env.RUNLET_REGISTRIES,
    ...(payloadBytes !== undefined && { payloadBytes }),
    webhookFault: (url) => targetFault(url, targets),
  };
}
