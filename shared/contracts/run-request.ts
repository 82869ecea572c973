import { z } from 'zod';
import { parseImageReference } from '../images.ts';
import { type LimitMaxima, limitsSchema } from './limits.ts';

/** What the operator lets a request ask for. */
export type RunPolicy = {
  limits: LimitMaxima;
  allowWritable: boolean;
  allowEgress: boolean;
  /** Registries that images may come from; empty: any. */
  registries: string[];
};

const noNul = (text: string) => !text.includes('\0');
const text = (max: number) => z.string().max(max).refine(noNul, 'must not contain a NUL character');
const words = z.array(text(131_072)).max(1024);

const absolutePath = text(4096)
  .refine((path) => path.startsWith('/'), 'must be an absolute path')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ".."');

const environment = z
  .record(
    z.string().regex(/^[^=\0]{1,256}$/, 'a name has no "=" and no NUL, and 1 to 256 characters'),
    text(131_072),
  )
  .refine((env) => Object.keys(env).length <= 512, 'at most 512 variables');

export const metadata = z
  .record(z.string().min(1).max(64), z.string().max(1024))
  .refine((map) => Object.keys(map).length <= 64, 'at most 64 entries');

const file = z.strictObject({
  path: text(1024).min(1),
  content: z.string(),
  encoding: z.enum(['utf8', 'base64']).default('utf8'),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'an octal mode like "0644"')
    .default('0644'),
});

const input = z.strictObject({
  stdin: z.string().optional(),
  stdinEncoding: z.enum(['utf8', 'base64']).default('utf8'),
  args: words.optional(),
});

/** Parts of the contract that need the sandbox init; until it lands they are known, and refused by name. */
const notYet = [
  'language',
  'code',
  'files',
  'inputs',
  'artifacts',
  'interactive',
  'tty',
  'args',
  'webhook',
] as const;
const notYetMessage = 'is not available in this version of Runlet';

export const isBase64 = (value: string) => value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);

/** `POST /v1/runs`. The schema that validates is the one that documents. */
export function runRequestSchema(policy: RunPolicy) {
  return z
    .strictObject({
      image: z
        .string()
        .min(1)
        .max(512)
        .refine((name) => parseImageReference(name) !== undefined, 'is not a valid image reference')
        .optional()
        .meta({ description: 'Any reference Docker accepts, digests too.', examples: ['hello-world'] }),
      command: words.optional().meta({ description: 'Replaces the image’s CMD.' }),
      entrypoint: words
        .optional()
        .meta({ description: 'Replaces the image’s ENTRYPOINT (and drops its CMD).' }),
      language: z.string().min(1).max(128).optional(),
      code: z.string().optional(),
      files: z.array(file).max(1000).default([]),
      args: words.default([]),
      stdin: z.string().optional().meta({ description: 'Fed to the program, then closed.' }),
      stdinEncoding: z.enum(['utf8', 'base64']).default('utf8'),
      env: environment.default({}).meta({ description: 'Values are secrets: no answer shows them.' }),
      workdir: absolutePath.optional().meta({
        description: 'Where the program starts; else the image’s WORKDIR, else /work.',
      }),
      inputs: z.array(input).max(1000).default([]),
      limits: limitsSchema(policy.limits).prefault({}),
      network: z.enum(['none', 'egress']).default('none'),
      isolation: z.enum(['container', 'gvisor']).default('container'),
      pull: z.enum(['missing', 'always', 'never']).default('missing'),
      artifacts: z.array(text(1024).min(1)).max(100).default([]),
      interactive: z.boolean().default(false),
      tty: z.boolean().default(false),
      writable: z.boolean().default(false).meta({ description: 'Writable root filesystem.' }),
      priority: z.int().min(0).max(100).default(0).meta({ description: 'Higher goes first.' }),
      delayMs: z
        .int()
        .min(0)
        .max(604_800_000)
        .default(0)
        .meta({ description: 'Not before so many ms; a week at most.' }),
      retries: z.int().min(0).max(10).default(0).meta({
        description:
          'How often to run again when the worker or the engine was lost; never for a program’s own failure.',
      }),
      webhook: z
        .strictObject({
          url: z.url({ protocol: /^https?$/ }).max(2048),
          secret: z.string().min(1).max(512).optional(),
        })
        .optional(),
      metadata: metadata.default({}),
    })
    .superRefine((request, context) => {
      const refuse = (path: (string | number)[], message: string) =>
        context.addIssue({ code: 'custom', path, message, input: undefined });
      if (request.image === undefined && request.language === undefined)
        refuse(['image'], 'is required: name an image (or a language)');
      if (request.image !== undefined && request.language !== undefined)
        refuse(['language'], 'must not stand beside image: name exactly one of the two');
      for (const field of notYet) {
        const value = request[field];
        const empty = value === undefined || value === false || (Array.isArray(value) && value.length === 0);
        if (!empty) refuse([field], notYetMessage);
      }
      if (request.stdinEncoding === 'base64' && request.stdin !== undefined && !isBase64(request.stdin))
        refuse(['stdin'], 'is not valid base64');
      if (request.entrypoint?.length === 0 && (request.command?.length ?? 0) === 0)
        refuse(['command'], 'is required when entrypoint is empty');
      if (request.writable && !policy.allowWritable) refuse(['writable'], 'is not allowed by the operator');
      if (request.network === 'egress' && !policy.allowEgress)
        refuse(['network'], '"egress" is not allowed by the operator');
      const registry = request.image === undefined ? undefined : parseImageReference(request.image)?.registry;
      if (registry !== undefined && policy.registries.length > 0 && !policy.registries.includes(registry))
        refuse(['image'], `comes from ${registry}; the operator allows ${policy.registries.join(', ')}`);
    })
    .meta({ id: 'RunRequest' });
}

/** A request with every default in its place. */
export type RunRequest = z.infer<ReturnType<typeof runRequestSchema>>;

const mask = '***';

/** The request as answers show it: what may be a secret is masked. */
export function maskRequest(request: RunRequest): RunRequest {
  return {
    ...request,
    env: Object.fromEntries(Object.keys(request.env).map((name) => [name, mask])),
    ...(request.webhook && {
      webhook: { ...request.webhook, ...(request.webhook.secret !== undefined && { secret: mask }) },
    }),
  };
}
