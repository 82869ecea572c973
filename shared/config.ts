import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { limitBounds } from './contracts/bounds.ts';
import { addressPolicy } from './net/address.ts';
import { portPolicy } from './net/ports.ts';
import { registryPolicy } from './registries/policy.ts';

/**
 * The environment that gateway and worker share, parsed once. Units are in the names; each default gives its reason. A program
 * adds its own variables with `.extend`, next to its main file.
 */
const KiB = 1024;
const MiB = 1024 * KiB;

/** A whole number from the environment, within its bounds. */
export const wholeNumber = (min: number, max: number, fallback: number) =>
  z.coerce.number().int().min(min).max(max).default(fallback);

export const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false', '1', '0'])
    .default(fallback ? 'true' : 'false')
    .transform((text) => text === 'true' || text === '1');

export const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  );

function holds(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

export const sharedEnvironment = z.object({
  RUNLET_REDIS_URL: z
    .string()
    .min(1)
    .default('redis://127.0.0.1:6379')
    .describe('redis://, rediss://, unix:///path, redis+sentinel://h:p,h:p/name or redis+cluster://h:p,h:p'),
  RUNLET_REDIS_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/)
    .default('runlet')
    .describe('first part of every key: two Runlets can share one Redis'),
  RUNLET_SECRET_KEY: z
    .string()
    .min(16)
    .describe('seals requests and credentials in Redis; the same for all programs of one Runlet'),
  RUNLET_DATA_DIR: z
    .string()
    .default(
      process.getuid?.() === 0
        ? '/var/lib/runlet'
        : join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local/share'), 'runlet'),
    )
    .describe('where Runlet keeps its files'),
  // Artifacts are stored in RUNLET_DATA_DIR, unless an S3 store is set.
  RUNLET_S3_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('without the bucket; unset: a folder'),
  RUNLET_S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)
    .optional(),
  RUNLET_S3_REGION: z.string().min(1).default('us-east-1').describe('most servers of one’s own ignore it'),
  RUNLET_S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  RUNLET_S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  RUNLET_LOST_AFTER_MS: wholeNumber(10_000, 3_600_000, 30_000).describe(
    'a worker that is not back after so long has lost its runs and services. The locks of runs and of webhook deliveries last a third of this. The same for all programs of one Runlet',
  ),
  RUNLET_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  // The maximum that a run may ask for. The defaults of a request are in contracts/limits.ts.
  RUNLET_MAX_TIMEOUT_MS: wholeNumber(100, limitBounds.timeoutMs.most, 3_600_000).describe(
    'an hour: CI-like jobs fit',
  ),
  RUNLET_MAX_MEMORY_BYTES: wholeNumber(
    limitBounds.memoryBytes.least,
    limitBounds.memoryBytes.most,
    2 ** 40,
  ).describe('the workers’ own size is the real bound'),
  RUNLET_MAX_CPUS: wholeNumber(1, limitBounds.cpus.most, 256).describe(
    'the workers’ own size is the real bound',
  ),
  RUNLET_MAX_PIDS: wholeNumber(1, limitBounds.pids.most, 4096),
  RUNLET_MAX_OUTPUT_BYTES: wholeNumber(1, limitBounds.outputBytes.most, 16 * MiB).describe(
    'kept in Redis, so not without end',
  ),
  RUNLET_MAX_DISK_BYTES: wholeNumber(MiB, limitBounds.diskBytes.most, 2 ** 40).describe(
    'tmpfs: memory is the real bound',
  ),
  RUNLET_ALLOW_WRITABLE: flag(true).describe('whether a run may ask for a writable root filesystem'),
  RUNLET_ALLOW_EGRESS: flag(true).describe('whether a run may ask for network "egress"'),
  // Webhooks: the gateway checks these when it is given an address, and the notifier checks them at each try.
  RUNLET_WEBHOOK_ALLOW: list
    .refine((entries) => holds(() => addressPolicy(entries)), 'must be hosts, addresses or CIDRs')
    .describe('receivers beside those with public addresses: hosts (`*.internal` too), addresses or CIDRs'),
  RUNLET_WEBHOOK_PORTS: z
    .string()
    .default('80,443,1024-65535')
    .refine((text) => holds(() => portPolicy(text)), 'must be ports and ranges, as in 443,8000-8999')
    .describe(
      'the ports of receivers: below 1024 only those of the web, so that no mail or SSH server is talked to',
    ),
  RUNLET_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .default('http://127.0.0.1:8080')
    .describe('where clients reach the gateway: for links in webhooks'),
  RUNLET_SERVICE_DOMAIN: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/)
    .default('localhost')
    .describe('services are reached at {name}.{domain}: browsers and curl resolve *.localhost by themselves'),
  RUNLET_REGISTRY_ALLOW: list
    .refine((entries) => holds(() => registryPolicy(entries)), 'must be hosts, host:port, addresses or CIDRs')
    .describe(
      'registries beside those with public addresses: hosts (`*.internal` too), host:port, addresses or CIDRs',
    ),
  RUNLET_REGISTRIES: list.describe('registries that images may come from, comma separated; empty: any'),
});

export type SharedEnvironment = z.infer<typeof sharedEnvironment>;

/** How long a lock of BullMQ's lasts without renewal, in ms. */
export const lockMsOf = ({ RUNLET_LOST_AFTER_MS }: Pick<SharedEnvironment, 'RUNLET_LOST_AFTER_MS'>): number =>
  Math.round(RUNLET_LOST_AFTER_MS / 3);

/** Variables that give access to something. Programs that this process starts do not need them. */
export const secretVariables = [
  'RUNLET_API_KEY',
  'RUNLET_KEPT_API_KEY',
  'RUNLET_SECRET_KEY',
  'RUNLET_REDIS_URL',
  'RUNLET_S3_ACCESS_KEY_ID',
  'RUNLET_S3_SECRET_ACCESS_KEY',
];

/** Parses this process's own environment, then deletes the secrets from it, because child processes inherit the environment. */
export function takeEnvironment<T extends z.ZodType>(schema: T): z.infer<T> {
  const parsed = readEnvironment(schema, process.env);
  for (const name of secretVariables) delete process.env[name];
  return parsed;
}

/** Parses the environment. Throws one error that names every bad variable, but never its value. */
export function readEnvironment<T extends z.ZodType>(schema: T, env: NodeJS.ProcessEnv): z.infer<T> {
  const present = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(present);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`The environment is not valid:\n${lines.join('\n')}`);
}
