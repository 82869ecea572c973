import type { Size } from '../attach/terminal.ts';
import type { Stdin } from './stdin.ts';
import type { Target } from './target.ts';
import type { RunWebhook } from './webhook.ts';

/** The options of `runlet run`, parsed. */
export type RunOptions = {
  env?: string[];
  envFile?: string[];
  workdir?: string;
  entrypoint?: string;
  timeout?: number;
  cpuTime?: number;
  memory?: number;
  stack?: number;
  cpus?: number;
  pids?: number;
  outputLimit?: number;
  disk?: number;
  network?: string;
  isolation?: string;
  pull?: string;
  priority?: number;
  delay?: number;
  retries?: number;
  writable?: boolean;
  metadata?: [string, string][];
  detach?: boolean;
  /** `true` with --stdin, `false` with --no-stdin. */
  stdin?: boolean;
  lang?: string;
  code?: string;
  file?: string[];
  input?: string[];
  artifact?: string[];
  outputDir?: string;
  interactive?: boolean;
  tty?: boolean;
  webhook?: string;
  webhookSecret?: string;
};

/** The body of `POST /v1/runs`. Only what was said is sent: every default is the server's. */
export function buildRequest(
  target: Exclude<Target, { kind: 'stdin' }>,
  options: RunOptions,
  env: Record<string, string>,
  stdin: Stdin | undefined,
  inputs: Stdin[],
  webhook: RunWebhook | undefined,
  terminal: Size | undefined,
): Record<string, unknown> {
  const limits = said({
    timeoutMs: options.timeout,
    cpuTimeMs: options.cpuTime,
    memoryBytes: options.memory,
    stackBytes: options.stack,
    cpus: options.cpus,
    pids: options.pids,
    outputBytes: options.outputLimit,
    diskBytes: options.disk,
  });
  return said({
    ...program(target),
    // `--entrypoint ""` takes the image's away, as with Docker.
    entrypoint: options.entrypoint === undefined ? undefined : options.entrypoint ? [options.entrypoint] : [],
    env: notEmpty(env),
    workdir: options.workdir,
    limits: notEmpty(limits),
    network: options.network,
    isolation: options.isolation,
    pull: options.pull,
    priority: options.priority,
    delayMs: options.delay,
    retries: options.retries,
    writable: options.writable,
    metadata: options.metadata ? Object.fromEntries(options.metadata) : undefined,
    artifacts: options.artifact,
    interactive: options.interactive,
    tty: options.tty,
    ...(options.tty === true && terminal),
    webhook,
    inputs: inputs.length > 0 ? inputs : undefined,
    ...stdin,
  });
}

function program(target: Exclude<Target, { kind: 'stdin' }>): Record<string, unknown> {
  const filled = <T>(list: T[]) => (list.length > 0 ? list : undefined);
  switch (target.kind) {
    case 'image':
      return { image: target.image, command: filled(target.command), files: filled(target.files) };
    case 'code':
      return { language: target.language, code: target.code, args: filled(target.args) };
    case 'files':
      return { language: target.language, files: target.files, args: filled(target.args) };
    default:
      return target satisfies never;
  }
}

function said(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function notEmpty<T extends object>(fields: T): T | undefined {
  return Object.keys(fields).length > 0 ? fields : undefined;
}
