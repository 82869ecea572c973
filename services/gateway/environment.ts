// Imported before any schema is made: it adds `openapi` to schemas that are made after it.
import '@hono/zod-openapi';
import { z } from 'zod';
import { list, sharedEnvironment, wholeNumber } from '../../shared/config.ts';
import { defaultPayloadBytes } from '../../shared/contracts/run-rules.ts';
import { compatNames } from './compat-names.ts';
import { trustedProxies } from './trusted-proxies.ts';

const MiB = 1024 * 1024;
const hourMs = 3_600_000;

/** The gateway's own variables. */
export const gatewayEnvironment = sharedEnvironment.extend({
  RUNLET_HOST: z.string().min(1).default('127.0.0.1').describe('loopback: nobody else is let in unasked'),
  RUNLET_PORT: wholeNumber(0, 65_535, 8080).describe('0: any free port, printed at the start'),
  RUNLET_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{16,512}$/, '16 to 512 visible characters')
    .optional()
    .describe(
      'an admin key of the tenant `default`, in the place of what it held before; unset: one is made at the first start',
    ),
  RUNLET_KEPT_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{16,512}$/, '16 to 512 visible characters')
    .optional()
    .describe(
      'the key that `npm start` keeps in the CLI’s config: put where it is not known, unless it was taken back',
    ),
  RUNLET_CONFIG_DIR: z.string().min(1).optional().describe('where the CLI looks for its config.json'),
  RUNLET_COMPAT: z
    .string()
    .default('piston,fusion,judge0')
    .transform((text) => text.split(',').map((name) => name.trim()))
    .refine(
      ([first, ...others]) =>
        (first === 'none' && others.length === 0) ||
        [first ?? '', ...others].every((name) => compatNames.includes(name)),
      `must be names out of ${compatNames.join(', ')}, or none`,
    )
    .describe('the protocols of other systems that are answered, each below `/` and its name; or `none`'),
  RUNLET_MAX_BODY_BYTES: wholeNumber(1024, 1024 * MiB, 16 * MiB),
  RUNLET_MAX_PAYLOAD_BYTES: wholeNumber(1024, 1024 * MiB, defaultPayloadBytes).describe(
    'files, code, stdin and expected output of one run together: they lie in Redis until the run is forgotten',
  ),
  RUNLET_TENANT_MAX_RUNS: wholeNumber(1, 10_000_000, 5_000).describe('runs of a tenant that have not ended'),
  RUNLET_MAX_OPEN_RUNS: wholeNumber(1, 10_000_000, 20_000).describe('runs of all that have not ended'),
  RUNLET_TENANT_MAX_BYTES: wholeNumber(1024, 2 ** 50, 512 * MiB).describe(
    'requests of a tenant’s runs that have not ended, and of its services; an eighth of Redis’s `maxmemory` where that is less',
  ),
  RUNLET_MAX_OPEN_BYTES: wholeNumber(1024, 2 ** 50, 1024 * MiB).describe(
    'the same of all tenants; a quarter of Redis’s `maxmemory` where that is less',
  ),
  RUNLET_TENANT_MAX_DELIVERIES: wholeNumber(1, 10_000_000, 20_000).describe(
    'webhook deliveries of a tenant that have not ended: over it, runs that would make more are refused',
  ),
  RUNLET_TENANT_MAX_SERVICES: wholeNumber(0, 100_000, 100).describe(
    'services of a tenant, whatever their state',
  ),
  RUNLET_SERVICE_WAIT_MS: wholeNumber(0, hourMs, 60_000).describe(
    'a request for a service that is asleep or starting waits so long',
  ),
  RUNLET_SERVICE_TIMEOUT_MS: wholeNumber(1, 24 * hourMs, 300_000).describe(
    'from a request to the first byte of a service’s answer; what streams after it has no limit',
  ),
  RUNLET_TRUSTED_PROXIES: list
    .superRefine((entries, context) => {
      for (const [i, entry] of entries.entries()) {
        const fault = faultOf(entry);
        if (fault !== undefined)
          context.addIssue(`entry ${i + 1} ${fault}: give addresses or CIDRs, as in 10.0.0.0/8,192.168.1.7`);
      }
    })
    .describe(
      'whose word on a client is believed: what they say in Forwarded and X-Forwarded-* goes on to services',
    ),
  RUNLET_RETENTION_MS: wholeNumber(1_000, 365 * 24 * hourMs, 24 * hourMs).describe('for ended runs'),
  RUNLET_RETENTION_RUNS: wholeNumber(0, 100_000_000, 100_000),
  RUNLET_RETENTION_BYTES: wholeNumber(0, 2 ** 50, 1024 * MiB).describe(
    'output, artifacts and requests of ended runs',
  ),
  RUNLET_QUEUE_EXPIRY_MS: wholeNumber(1_000, 30 * 24 * hourMs, hourMs).describe(
    'a run that no worker took for so long after it was due ends as `expired`',
  ),
  RUNLET_DRAIN_MS: wholeNumber(0, hourMs, 10_000).describe('how long a stopping gateway answers what it has'),
});

function faultOf(entry: string): string | undefined {
  try {
    trustedProxies([entry]);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export type GatewayEnvironment = z.infer<typeof gatewayEnvironment>;
