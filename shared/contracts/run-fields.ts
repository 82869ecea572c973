import { z } from 'zod';
import { globFault } from '../globs.ts';
import { isImageName } from '../images.ts';
import { kernelFolder, kernelFolderFault } from '../kernel-folders.ts';
import { terminalSide } from './attach.ts';
import { runBounds } from './bounds.ts';
import { expectedStdout, stopOnFailure } from './judging.ts';
import { compileLimitsSchema, type LimitMaxima, limitsSchema } from './limits.ts';
import { runFile } from './run-files.ts';
import { imagesToBuild } from './run-language.ts';
import { webhookSecret, webhookUrl } from './webhook.ts';

/** What the operator lets a request ask for. */
export type RunPolicy = {
  limits: LimitMaxima;
  allowWritable: boolean;
  allowEgress: boolean;
  /** Registries that images may come from. Empty: any registry. */
  registries: string[];
  /** The most bytes that the files, code, stdin and expected output of one run may have together. Default: `defaultPayloadBytes`. */
  payloadBytes?: number;
  /** What is wrong with the URL of a webhook. `undefined`: no fault can be found without calling the URL. */
  webhookFault?: (url: string) => string | undefined;
};

const noNul = (text: string) => !text.includes('\0');
const text = (max: number) => z.string().max(max).refine(noNul, 'must not contain a NUL character');
export const words = z.array(text(131_072)).max(1024);

export const absolutePath = text(4096)
  .refine((path) => path.startsWith('/'), 'must be an absolute path')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ".."')
  .refine((path) => kernelFolder(path) === undefined, kernelFolderFault);

export const environment = z
  .record(
    z.string().regex(/^[^=\0]{1,256}$/, 'a name has no "=" and no NUL, and 1 to 256 characters'),
    text(131_072),
  )
  .refine((env) => Object.keys(env).length <= 512, 'at most 512 variables');

export const metadata = z
  .record(z.string().min(1).max(64), z.string().max(1024))
  .refine((map) => Object.keys(map).length <= 64, 'at most 64 entries');

const input = z.strictObject({
  stdin: z.string().optional(),
  stdinEncoding: z.enum(['utf8', 'base64']).default('utf8'),
  args: words.optional(),
  expectedStdout,
});

const glob = text(1024)
  .min(1)
  .superRefine((pattern, context) => {
    const message = globFault(pattern);
    if (message !== undefined) context.addIssue({ code: 'custom', message, input: pattern });
  });

/** The fields of `POST /v1/runs`, each checked alone. Rules between fields are in run-rules.ts. */
export function runFields(policy: RunPolicy) {
  return z.strictObject({
    image: z
      .string()
      .min(1)
      .max(512)
      .refine(isImageName, 'is not a valid image reference')
      .meta({
        description:
          'Any reference Docker accepts, digests too; or the id of an image that a worker has (`sha256:` and 64 hex digits, those alone, or the first 12 or more of them), which is never pulled.',
        examples: ['hello-world'],
      })
      .optional(),
    command: words.optional().meta({ description: 'Replaces the image’s CMD.' }),
    entrypoint: words
      .optional()
      .meta({ description: 'Replaces the image’s ENTRYPOINT (and drops its CMD).' }),
    language: z
      .string()
      .min(1)
      .max(128)
      .meta({
        description: `Instead of \`image\`: a name, an alias, or a name with a semver range, of GET /v1/languages. Needs \`code\` or \`files\`. A range is compared with the version listed there, which is that of the image that Runlet builds; an official image may have another patch, so name none: \`python@3.11\`. ${imagesToBuild}`,
        examples: ['python', 'python@3.11'],
      })
      .optional(),
    code: z.string().optional().meta({
      description:
        'One file of the language, under the language’s own `fileName`; Java’s under the name that its public class wants.',
    }),
    files: z.array(runFile).max(1000).default([]).meta({
      description:
        'Written below the work folder, or below /tmp, before anything runs. With a language: instead of `code`; the program is the file named as the language’s `fileName`, or else the first of its sources; of Java the class with `main`, in whichever it is. A Java file whose public class wants another name gets that.',
    }),
    args: words.default([]).meta({
      description:
        'Follow the program’s own command: of a language, or of the image after its CMD or `command`.',
    }),
    compilerOptions: z
      .array(text(1024))
      .max(128)
      .optional()
      .meta({
        description:
          'Follow the compiler’s own, each one word: only with a language that has a compiler, and only such as say how it compiles. One that reads or writes files elsewhere, hands something on to another program or executes something is refused.',
        examples: [['-std=c++17', '-O3', '-DDEBUG=1']],
      }),
    stdin: z
      .string()
      .optional()
      .meta({ description: 'Fed to the program, then closed (`interactive`: left open).' }),
    stdinEncoding: z.enum(['utf8', 'base64']).default('utf8'),
    env: environment.default({}).meta({
      description:
        'Values are secrets: no answer shows them. Without: PATH, HOME, USER, LOGNAME and HOSTNAME, as the image says or as the run’s user needs them; where neither these nor the image have LANG, LC_ALL or LC_CTYPE, LANG is C.UTF-8.',
    }),
    workdir: absolutePath.optional().meta({
      description:
        'Where the program starts and files are put; else the image’s WORKDIR, else /work (a language: always). Of these only /work, /tmp, what lies inside of the two, and the image’s VOLUMEs themselves are writable: elsewhere a program can start, but `files` end the run as `start_failed`. So name one, as in "/work", where the image has another WORKDIR and files are given. `writable` changes that only for folders that are open to the run’s user. Not in /proc, /sys or /dev.',
    }),
    inputs: z.array(input).max(1000).default([]).meta({
      description:
        'The program is compiled once and run once for each, one after another, in steps `run[0]`, `run[1]`, …; `args` of an input come after those of the request.',
    }),
    stopOnFailure,
    limits: limitsSchema(policy.limits).prefault({}),
    compileLimits: compileLimitsSchema(policy.limits).optional().meta({
      description:
        'Limits of the step `compile`, apart from `limits`; only with a language that has a compiler.',
    }),
    network: z.enum(['none', 'egress']).default('none'),
    isolation: z.enum(['container', 'gvisor']).default('container'),
    pull: z.enum(['missing', 'always', 'never']).default('missing'),
    artifacts: z
      .array(glob)
      .max(100)
      .default([])
      .meta({
        description:
          'Globs, relative to the work folder, of the files to keep: `*` and `?` within a name, `[a-z]`, `**` for any number of folders. Names with a dot in front match too. A file whose name is no UTF-8 is held against them with U+FFFD for each byte that is none, and is not kept: `error` tells of it.',
        examples: [['out/**', '*.log']],
      }),
    mergeStderr: z.boolean().default(false).meta({
      description:
        'One pipe for stdout and stderr, of the compiler too: all of it is in `stdout`, in the order in which it was written, and `stderr` is empty.',
    }),
    interactive: z
      .boolean()
      .default(false)
      .meta({ description: 'stdin stays open for WS /v1/runs/{id}/attach.' }),
    tty: z.boolean().default(false).meta({
      description: 'A terminal (PTY) for the program; needs `interactive`. Its output is all stdout.',
    }),
    cols: terminalSide.optional().meta({
      description:
        'How wide the terminal is from the first line on; with `rows`, and only with `tty`. Default 80 × 24.',
    }),
    rows: terminalSide.optional().meta({ description: 'How high it is.' }),
    writable: z.boolean().default(false).meta({ description: 'Writable root filesystem.' }),
    priority: z
      .int()
      .min(0)
      .max(runBounds.priority.most)
      .default(0)
      .meta({ description: 'Higher goes first.' }),
    delayMs: z
      .int()
      .min(0)
      .max(runBounds.delayMs.most)
      .default(0)
      .meta({ description: 'Not before so many ms; a week at most.' }),
    retries: z.int().min(0).max(runBounds.retries.most).default(0).meta({
      description:
        'How often to run again when the worker or the engine was lost; never for a program’s own failure.',
    }),
    webhook: z
      .strictObject({
        url: webhookUrl,
        secret: webhookSecret.optional().meta({
          description:
            'Signs the delivery (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64. Without one, one is made, and shown in the answer to this request alone.',
          examples: ['whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'],
        }),
      })
      .optional()
      .meta({
        description:
          'Called once with `run.finished` when this run has ended; see POST /v1/webhooks for how. Beside registered endpoints, not instead of them.',
      }),
    metadata: metadata.default({}),
  });
}

/** A request in which every default is filled in. */
export type RunRequest = z.infer<ReturnType<typeof runFields>> & {
  /** What a protocol of another system keeps with the run, to answer by it later (gateway/compat). No request of ours can bring it. */
  compat?: unknown;
};
