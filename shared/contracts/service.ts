import { z } from 'zod';
import { isImageId, isImageName } from '../images.ts';
import { registryFault } from '../registries/policy.ts';
import { serviceStatuses } from '../service-states.ts';
import { terminalSide } from './attach.ts';
import { pullState } from './events.ts';
import { type LimitMaxima, limitsSchema } from './limits.ts';
import { problemOrNull } from './problem.ts';
import { absolutePath, environment, metadata, type RunPolicy, words } from './run-fields.ts';
import { file, refuseKernelFiles } from './run-files.ts';
import { applyTimeoutDefault, refuseSize } from './run-rules.ts';
import { webhookSecret, webhookUrl } from './webhook.ts';

/** A label of a host name (RFC 1123 §2.1): the service is reached at `{name}.{domain}`. */
export const serviceName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be lower-case letters, digits and "-", 63 at most, as a part of a host name',
  );

export const volumeName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_.-]{0,62}$/,
    'must begin with a letter or digit; then letters, digits, "_", "." and "-"',
  );

/** The size of a volume whose request sets none. */
export const defaultVolumeBytes = 10 * 2 ** 30;

const port = z.int().min(1).max(65_535);
const second = 1_000;

/** The limits of a run, without those that make no sense for a program that does not end. */
function serviceLimits(max: LimitMaxima) {
  return limitsSchema(max)
    .omit({ timeoutMs: true, cpuTimeMs: true, outputBytes: true, stackBytes: true })
    .extend({
      memoryBytes: z
        .int()
        .min(8 * 2 ** 20)
        .max(max.memoryBytes)
        .default(Math.min(512 * 2 ** 20, max.memoryBytes))
        .meta({ description: 'Memory, swap included; reserved on the worker as long as it runs.' }),
      pids: z.int().min(1).max(max.pids).default(Math.min(512, max.pids)),
      diskBytes: z
        .int()
        .min(2 ** 20)
        .max(max.diskBytes)
        .default(Math.min(2 ** 30, max.diskBytes))
        .meta({
          description:
            'What it may hold of its own root filesystem’s disk, with the `files` that it was given and the image’s VOLUMEs; deleted files that are still open count, and each file and folder as 4 KiB at least. Named volumes have a size of their own. Where the engine’s disk has project quotas a write past it fails (ENOSPC), and the service goes on. Else, and for what has no quota, the service is killed over it and `failed` (`disk_limit`), what it wrote there is removed, and it is not started again until somebody does.',
        }),
    })
    .meta({ id: 'ServiceLimits' });
}

export function serviceRequestSchema(policy: RunPolicy) {
  return z
    .strictObject({
      name: serviceName.optional().meta({
        description:
          'Unique in the tenant; the service is reached by it. Default: the image’s own name and the end of the id, as in `nginx-3f2a`.',
        examples: ['web'],
      }),
      image: z.string().min(1).max(512).refine(isImageName, 'is not a valid image reference'),
      command: words.optional().meta({ description: 'Replaces the image’s CMD.' }),
      entrypoint: words
        .optional()
        .meta({ description: 'Replaces the image’s ENTRYPOINT (and drops its CMD).' }),
      env: environment.default({}).meta({ description: 'Values are secrets: no answer shows them.' }),
      workdir: absolutePath.optional(),
      files: z.array(file).max(1000).default([]).meta({
        description: 'Written below the work folder before the first start.',
      }),
      port: port
        .optional()
        .meta({ description: 'Where it serves HTTP and WebSocket: reached through the gateway.' }),
      tcpPorts: z
        .array(port)
        .max(16)
        .default([])
        .refine((ports) => new Set(ports).size === ports.length, 'must not name a port twice')
        .meta({ description: 'Raw TCP, published on the worker’s address: see `tcpPorts` of the answer.' }),
      health: z
        .strictObject({
          path: z
            .string()
            .max(2048)
            .regex(/^\//, 'must begin with "/"')
            // HTTP cannot send another request target (RFC 9112 §3.2), so the service would never become ready.
            .regex(/^[\x21-\x7e]*$/, 'must be written as in a URL: percent-encode what is no visible ASCII')
            .optional(),
          intervalMs: z
            .int()
            .min(50)
            .max(60 * second)
            .default(second),
          timeoutMs: z
            .int()
            .min(second)
            .max(3600 * second)
            .default(60 * second)
            .meta({
              description: 'Not ready within so long after a start, it has failed.',
            }),
        })
        .prefault({})
        .meta({
          description:
            'It is ready when a GET of `path` is answered with 2xx or 3xx; without one, when its port accepts a connection; without a port, when it runs.',
        }),
      limits: serviceLimits(policy.limits).prefault({}),
      network: z.enum(['none', 'egress']).default('none'),
      isolation: z.enum(['container', 'gvisor']).default('container'),
      pull: z.enum(['missing', 'always', 'never']).default('missing'),
      volumes: z
        .array(
          z.strictObject({
            name: volumeName,
            path: absolutePath,
            sizeBytes: z
              .int()
              .min(2 ** 20)
              .max(policy.limits.diskBytes)
              .optional()
              .meta({
                description: `What the volume may hold, counted as \`limits.diskBytes\`. Where the engine’s disk has project quotas a write past it fails (ENOSPC, EDQUOT), and the volume keeps the size that it was made with: a larger one is refused (\`conflict\`). Else over it the service is killed and \`failed\` (\`disk_limit\`); the volume stays as it is. Default: ${defaultVolumeBytes} (10 GiB).`,
              }),
          }),
        )
        .max(16)
        .default([])
        .meta({
          description:
            'Named, of the tenant; they outlive the service. A service with volumes stays on their node.',
        }),
      keepAlive: z
        .union([
          z.literal('forever'),
          z
            .int()
            .min(second)
            .max(365 * 24 * 3600 * second),
        ])
        .default(600 * second)
        .meta({ description: 'ms to live without a call: a request, an open connection, an exec, a file.' }),
      onIdle: z.enum(['stop', 'remove']).default('stop').meta({
        description: '`stop`: the next request wakes it.',
      }),
      restart: z.enum(['always', 'on-failure', 'never']).default('on-failure').meta({
        description:
          'When it ends by itself: again, with a growing wait; or it is `stopped` (exit code 0) or `failed`.',
      }),
      init: z.boolean().default(true).meta({
        description:
          'A small init of ours is PID 1 of the container, as with `docker run --init`: it hands signals on to the program, reaps orphans and keeps the exit code. `false`: the program is PID 1 itself. Images that bring an init of their own (s6-overlay, systemd, runit, OpenRC, tini, dumb-init, …), told by the first word of what they execute, are left as they are.',
      }),
      public: z.boolean().default(false).meta({
        description:
          'Anybody may call it. Else the API key, or a signed URL, is needed; neither reaches the container.',
      }),
      webhook: z.strictObject({ url: webhookUrl, secret: webhookSecret.optional() }).optional().meta({
        description: 'Called with `service.*` events of this service, beside registered endpoints.',
      }),
      metadata: metadata.default({}),
    })
    .superRefine((request, context) => {
      const refuse = (path: (string | number)[], message: string) =>
        context.addIssue({ code: 'custom', path, message, input: undefined });
      if (request.network === 'egress' && !policy.allowEgress)
        refuse(['network'], 'must be "none": the operator does not allow "egress"');
      const registry = registryFault(request.image, policy.registries);
      if (registry !== undefined) refuse(['image'], registry);
      if (request.pull === 'always' && isImageId(request.image))
        refuse(['pull'], 'must not be "always" with an image’s id: no registry knows an image by it');
      const fault = request.webhook && policy.webhookFault?.(request.webhook.url);
      if (fault !== undefined) refuse(['webhook', 'url'], fault);
      refuseKernelFiles(request.workdir, request.files, refuse);
      const paths = request.volumes.map(({ path }) => path.replace(/\/+$/, ''));
      for (const [index, path] of paths.entries()) {
        if (path === '') refuse(['volumes', index, 'path'], 'must not be the root');
        if (paths.indexOf(path) < index) refuse(['volumes', index, 'path'], 'stands twice');
      }
    })
    .meta({ id: 'ServiceRequest' });
}

export type ServiceRequest = z.output<ReturnType<typeof serviceRequestSchema>>;

const mask = '***';

/** The request as answers show it. */
export function maskService(request: ServiceRequest): ServiceRequest {
  return {
    ...request,
    env: Object.fromEntries(Object.keys(request.env).map((name) => [name, mask])),
    ...(request.webhook && {
      webhook: { ...request.webhook, ...(request.webhook.secret !== undefined && { secret: mask }) },
    }),
  };
}

const time = z.iso.datetime({ precision: 3 });

export const service = z
  .object({
    id: z.string(),
    name: z.string(),
    status: z.enum(serviceStatuses),
    error: problemOrNull.meta({ description: 'Why it is not ready, where there is a reason.' }),
    image: z.object({ reference: z.string(), digest: z.string().nullable() }),
    // (A union: see problemOrNull.)
    pull: z
      .union([pullState, z.null()])
      .meta({ description: 'How far the pull of its image is, while it starts and one is under way.' }),
    url: z.string().nullable().meta({ description: 'Its origin, by name. Null without a `port`.' }),
    path: z.string().nullable().meta({ description: 'The same below the gateway’s own address.' }),
    tcpPorts: z
      .array(z.object({ port: z.int(), host: z.string(), hostPort: z.int() }))
      .meta({ description: 'Where its raw TCP ports are reached, while it runs.' }),
    worker: z.string().nullable(),
    restarts: z.int(),
    exitCode: z.int().nullable().meta({ description: 'Of its last end.' }),
    keepAlive: z.union([z.literal('forever'), z.int()]),
    idleAt: time.nullable().meta({ description: 'When it goes idle, if nobody calls before.' }),
    lastUsedAt: time.nullable(),
    createdAt: time,
    startedAt: time.nullable(),
    readyAt: time.nullable(),
    metadata: z.record(z.string(), z.string()),
    request: z.record(z.string(), z.unknown()).meta({ description: 'The request, secrets masked.' }),
  })
  .meta({ id: 'Service' });

export type Service = z.infer<typeof service>;

const execTimeoutMs = 60_000;

/**
 * `POST …/exec`: a run inside the service. As with a run, the default timeout is long enough for a CPU limit that the request
 * sets.
 */
export function execRequestSchema(policy: RunPolicy) {
  return z.preprocess(
    (value) => applyTimeoutDefault(value, execTimeoutMs, policy.limits),
    execFields(policy),
  );
}

function execFields(policy: RunPolicy) {
  return z
    .strictObject({
      command: words.min(1),
      stdin: z.string().optional(),
      stdinEncoding: z.enum(['utf8', 'base64']).default('utf8'),
      env: environment.default({}),
      workdir: absolutePath.optional(),
      limits: limitsSchema(policy.limits)
        .pick({ timeoutMs: true, cpuTimeMs: true, outputBytes: true })
        .extend({
          timeoutMs: z
            .int()
            .min(1)
            .max(policy.limits.timeoutMs)
            .default(Math.min(execTimeoutMs, policy.limits.timeoutMs))
            .meta({
              description:
                'Wall time in ms. Where it is absent: a minute; with `cpuTimeMs` twice that and 5 s, if that is more.',
            }),
        })
        .prefault({})
        .meta({ id: 'ExecLimits' }),
      interactive: z.boolean().default(false),
      tty: z.boolean().default(false),
      cols: terminalSide
        .optional()
        .meta({ description: 'Of the terminal, with `rows`, from the first line on.' }),
      rows: terminalSide.optional(),
      detached: z.boolean().default(false).meta({
        description:
          'Starts the program and leaves it to itself: it outlives this call, and ends with the service’s container. The run is over, `succeeded` and without an exit code, once the program has been executed; how it goes on is told by GET /v1/services/{id}/exec. It has no stdin and no limit of its own (`stdin`, `interactive`, `tty` and `limits` are refused), and what it writes is dropped: send it to a file, or to /proc/1/fd/1, which is the service’s log. It is no use of the service: its idle clock goes on.',
      }),
      metadata: metadata.default({}),
    })
    .superRefine((request, context) => {
      const refuse = (path: (string | number)[], message: string) =>
        context.addIssue({ code: 'custom', path, message, input: undefined });
      if (request.tty && !request.interactive)
        refuse(['tty'], 'needs "interactive": true, so that there is somebody at the terminal');
      refuseSize(request, refuse);
      if (!request.detached) return;
      for (const name of ['tty', 'interactive'] as const)
        if (request[name]) refuse([name], 'must not stand beside detached: nobody is at it');
      if (request.stdin !== undefined) refuse(['stdin'], 'must not stand beside detached: it has no stdin');
    })
    .meta({ id: 'ExecRequest' });
}

/** `GET …/exec`. */
export const serviceExec = z
  .object({
    id: z.string().meta({ description: 'Of the run that started it.' }),
    command: z.array(z.string()),
    detached: z.boolean().meta({ description: 'It outlives its run.' }),
    status: z.enum(['running', 'exited']),
    exitCode: z
      .int()
      .nullable()
      .meta({ description: 'Null while it runs, and where it ended unseen (with its container, mostly).' }),
    pid: z.int().nullable().meta({ description: 'Inside the container, where it is known.' }),
    startedAt: time,
  })
  .meta({ id: 'ServiceExec' });

export type ServiceExec = z.infer<typeof serviceExec>;

export type ExecRequest = z.output<ReturnType<typeof execRequestSchema>>;

export const volume = z
  .object({
    name: z.string(),
    node: z.string().meta({
      description:
        'Where it is, and services that use it run: the name of the worker, or its engine’s id while none lives there.',
    }),
    engine: z.string().meta({ description: 'The id of that engine (`engine.id` of workers).' }),
    services: z.array(z.string()).meta({ description: 'Names of the services that use it.' }),
    createdAt: time,
  })
  .meta({ id: 'Volume' });
