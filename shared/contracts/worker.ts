import { z } from 'zod';
import { hostFacts } from './host-facts.ts';

const amounts = z.object({ memoryBytes: z.number(), cpus: z.number(), runs: z.int() });

export const worker = z
  .object({
    id: z.string(),
    name: z.string(),
    status: z.enum(['ready', 'draining', 'engine_unavailable']),
    version: z.string().meta({ description: 'Runlet’s own version.' }),
    engine: z.object({
      id: z.string().meta({ description: 'The engine’s own: volumes are on it.' }),
      name: z.string(),
      version: z.string(),
      apiVersion: z.string(),
      runcVersion: z.string().nullable(),
      storageDriver: z.string(),
      cgroupVersion: z.string(),
      os: z.string(),
      architecture: z.string(),
      kernel: z.string(),
      userNamespace: z.boolean().meta({
        description: 'Whether its containers’ users are others on the machine: rootless, or remapped.',
      }),
    }),
    drivers: z
      .array(
        z.object({
          name: z.enum(['oci', 'engine']),
          runtime: z.string().nullable(),
          unavailable: z.string().nullable(),
          remedy: z.string().optional(),
        }),
      )
      .optional()
      .meta({
        description:
          'What starts its sandboxes: `oci`, an OCI runtime that the worker starts itself (`runtime` names it), or `engine`, the Engine. The first that has no reason to be `unavailable` makes all that it can; the next one the rest. `remedy`: what would make it available, where something should.',
      }),
    isolations: z.array(z.enum(['container', 'gvisor'])),
    egress: z.boolean().meta({ description: 'Whether network "egress" can be given safely here.' }),
    capacity: z.object({ memoryBytes: z.number(), cpus: z.number() }),
    inUse: amounts,
    runUser: z.string().nullable().meta({
      description: 'The user (`uid:gid`) that all runs have here; null: each sandbox has one of its own.',
    }),
    warm: z.array(
      z.object({ image: z.string(), isolation: z.string(), network: z.string(), count: z.int() }),
    ),
    disk: z.object({ totalBytes: z.number(), freeBytes: z.number() }).nullable(),
    host: hostFacts.nullable().default(null).meta({
      description: '`null`: the engine is on another machine, whose kernel this worker cannot see.',
    }),
    disksSeen: z.boolean().optional().meta({
      description:
        'Whether it sees all that containers write to the engine’s disk. Else it has the engine’s word on their roots, without deleted files and volumes.',
    }),
    diskQuotas: z.object({ roots: z.boolean(), volumes: z.boolean() }).optional().meta({
      description:
        'Whether its engine holds the roots of containers, and named volumes, to their size by project quotas of the file system: a write past it fails (ENOSPC, EDQUOT). What has none is watched.',
    }),
    startedAt: z.string(),
    lastSeenAt: z.string(),
  })
  .meta({ id: 'Worker' });

export type Worker = z.infer<typeof worker>;

export const image = z
  .object({
    reference: z.string(),
    digest: z.string().nullable(),
    id: z.string(),
    sizeBytes: z.number(),
    createdAt: z.string(),
    workers: z.array(z.string()).meta({ description: 'Ids of the workers that have it.' }),
  })
  .meta({ id: 'Image' });

export type Image = z.infer<typeof image>;
