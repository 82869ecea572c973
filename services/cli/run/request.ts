import type { Size } from '../attach/size.ts';
import { entrypointOf, given, unlessEmpty } from '../http/given.ts';
import type { RunOptions } from './options.ts';
import type { Stdin } from './stdin.ts';
import type { Target } from './target.ts';
import type { RunWebhook } from './webhook.ts';

/** The body of `POST /v1/runs`. Only given values are sent: every default is decided by the server. */
export function buildRequest(
  target: Exclude<Target, { kind: 'stdin' }>,
  options: RunOptions,
  env: Record<string, string>,
  stdin: Stdin | undefined,
  inputs: Stdin[],
  webhook: RunWebhook | undefined,
  terminal: Size | undefined,
): Record<string, unknown> {
  const limits = given({
    timeoutMs: options.timeout,
    cpuTimeMs: options.cpuTime,
    memoryBytes: options.memory,
    stackBytes: options.stack,
    cpus: options.cpus,
    pids: options.pids,
    outputBytes: options.outputLimit,
    diskBytes: options.disk,
  });
  return given({
    ...program(target),
    entrypoint: entrypointOf(options.entrypoint),
    env: unlessEmpty(env),
    workdir: options.workdir,
    limits: unlessEmpty(limits),
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
    inputs: unlessEmpty(inputs),
    ...stdin,
  });
}

function program(target: Exclude<Target, { kind: 'stdin' }>): Record<string, unknown> {
  switch (target.kind) {
    case 'image':
      return { image: target.image, command: unlessEmpty(target.command), files: unlessEmpty(target.files) };
    case 'code':
      return { language: target.language, code: target.code, args: unlessEmpty(target.args) };
    case 'files':
      return { language: target.language, files: target.files, args: unlessEmpty(target.args) };
    default:
      return target satisfies never;
  }
}
