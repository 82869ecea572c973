import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { list, sharedEnvironment, wholeNumber } from '../../shared/config.ts';
import { parseUser } from './sandbox/users/run-users.ts';

const MiB = 1024 * 1024;

/** The worker's own knobs. */
export const workerEnvironment = sharedEnvironment.extend({
  DOCKER_HOST: z
    .string()
    .default('unix:///var/run/docker.sock')
    .describe('unix://, tcp:// (with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH) or ssh://'),
  DOCKER_TLS_VERIFY: z
    .string()
    .optional()
    .describe('not empty: TLS to the engine, as for the docker command'),
  DOCKER_CERT_PATH: z.string().optional().describe('a folder with ca.pem, cert.pem and key.pem'),
  RUNLET_DRIVER: z
    .enum(['auto', 'engine', 'oci'])
    .default('auto')
    .describe(
      'what starts sandboxes: `oci`, an OCI runtime (crun or runc) that the worker starts itself; `engine`, the Engine; `auto`, the first where the machine has what it needs',
    ),
  RUNLET_STATE_DIR: z
    .string()
    .min(1)
    .default('/run/runlet')
    .describe(
      'where the driver `oci` keeps what must not outlive the machine; all workers of a machine have the same',
    ),
  RUNLET_LAUNCHER: z
    .string()
    .min(1)
    .default(fileURLToPath(new URL('../../infra/launcher/build/launcher', import.meta.url)))
    .describe('the program that starts the runtime of the driver `oci`; made by infra/launcher/build.sh'),
  RUNLET_WORKER_NAME: z.string().min(1).max(128).default(hostname()),
  RUNLET_WORKER_MEMORY_BYTES: wholeNumber(64 * MiB, 2 ** 50, 0)
    .or(z.literal(0))
    .describe(
      'what runs may reserve; default: 80 % of the engine’s memory, the rest is for the engine itself',
    ),
  RUNLET_WORKER_CPUS: z.coerce.number().min(0).default(0).describe('default: the engine’s CPUs'),
  RUNLET_CPU_OVERCOMMIT: z.coerce
    .number()
    .min(1)
    .max(64)
    .default(2)
    .describe(
      'runs reserve their cpus of (CPUs × this): a short run spends most of its time in the engine; 1 for judges',
    ),
  RUNLET_DRAIN_MS: wholeNumber(0, 3_600_000, 10_000).describe(
    'how long a stopping worker lets its runs go on',
  ),
  RUNLET_PULL_TIMEOUT_MS: wholeNumber(1_000, 86_400_000, 600_000),
  RUNLET_RUN_USER: z
    .string()
    .transform((text, context) => {
      try {
        return parseUser(text);
      } catch {
        context.addIssue('a numeric uid:gid, not root');
        return z.NEVER;
      }
    })
    .optional()
    .describe('whom all runs are executed as; unset: each sandbox has a user of its own'),
  RUNLET_SANDBOX_INIT: z
    .string()
    .min(1)
    .default(fileURLToPath(new URL('../../infra/sandbox-init/build/init', import.meta.url)))
    .describe('the sandbox init for the engine’s architecture; made by infra/sandbox-init/build.sh'),
  RUNLET_WARM_MAX: wholeNumber(0, 10_000, 128).describe(
    'sandboxes kept ready at the most, where their memory allows it; 0: none',
  ),
  RUNLET_WARM_MEMORY_BYTES: wholeNumber(0, 2 ** 50, 512 * MiB).describe(
    'the node’s memory that they take together at the most: each some 12 MiB with the Engine, 2 with the driver `oci`, and 24 for an interpreter that is started ahead',
  ),
  RUNLET_MAX_ARTIFACTS: wholeNumber(0, 100_000, 1_000).describe('files that a run may keep'),
  RUNLET_MAX_ARTIFACT_BYTES: wholeNumber(0, 2 ** 40, 256 * MiB).describe('of all of them together'),
  RUNLET_MAX_FILE_BYTES: wholeNumber(0, 2 ** 40, 512 * MiB).describe(
    'the largest file of a service that is fetched: it lies in the artifact store on its way',
  ),
  RUNLET_SERVICE_BIND: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe(
      'the address of this machine that services’ ports are published on; loopback: nobody else is let in',
    ),
  RUNLET_SERVICE_HOST: z
    .string()
    .min(1)
    .optional()
    .describe('where that address is reached from the gateway; default: RUNLET_SERVICE_BIND'),
  RUNLET_SERVICE_PORTS: z
    .string()
    .regex(/^\d{1,5}-\d{1,5}$/, 'a range of ports, as in 20000-29999')
    .default('20000-29999')
    .describe('services’ ports are published on free ones of these; below Linux’s ephemeral ones'),
  RUNLET_EGRESS_DNS: list
    .default(['1.1.1.1', '8.8.8.8'])
    .describe('resolvers of runs with egress; the machine’s own are often private addresses'),
  RUNLET_EGRESS_POOL: z
    .string()
    .regex(/^\d+\.\d+\.\d+\.\d+\/\d+$/)
    .default('10.213.0.0/16')
    .describe('the networks of runs with egress are cut from it'),
  RUNLET_EGRESS_CONNECTIONS: wholeNumber(16, 10_000, 1_024).describe(
    'connections that one run or service with egress may have at once; a sixteenth of it may come anew each second',
  ),
  RUNLET_GATEWAY_UID: wholeNumber(0, 2 ** 32 - 2, process.getuid?.() ?? 0).describe(
    'the user that the gateway runs as, where it is on this machine and not the worker’s: besides root these two alone reach containers by their own addresses',
  ),
});

export type WorkerEnvironment = z.infer<typeof workerEnvironment>;
