import { parseImageReference } from '../images.ts';
import type { LimitMaxima } from './limits.ts';
import type { RunPolicy, RunRequest } from './run-fields.ts';
import { decodedBytes, type FaultTeller, isBase64, refuseClashes } from './run-files.ts';
import { languageFor } from './run-language.ts';

/** What the fields of a request say to one another; each field by itself is the schema's matter. */

const MiB = 1024 * 1024;
/** Files, code and stdin lie in Redis until they are forgotten. */
export const defaultPayloadBytes = 8 * MiB;

/** Where a language's program is put and started, whatever its image says. */
const languageWorkdir = '/work';

export function refuseContradictions(request: RunRequest, policy: RunPolicy, refuse: FaultTeller): void {
  if (request.image !== undefined && request.language !== undefined)
    refuse(['language'], 'must not stand beside image: name exactly one of the two');
  else if (request.language !== undefined) refuseInLanguageRun(request, request.language, policy, refuse);
  else refuseInImageRun(request, policy, refuse);
  refuseClashes(request.files, refuse);
  refuseStdin(request, refuse);
  refuseTerminal(request, refuse);
  refusePayload(request, policy.payloadBytes ?? defaultPayloadBytes, refuse);
  if (request.webhook !== undefined) {
    const fault = policy.webhookFault?.(request.webhook.url);
    if (fault !== undefined) refuse(['webhook', 'url'], fault);
  }
  if (request.writable && !policy.allowWritable) refuse(['writable'], 'is not allowed by the operator');
  if (request.network === 'egress' && !policy.allowEgress)
    refuse(['network'], '"egress" is not allowed by the operator');
}

function refuseInImageRun(request: RunRequest, policy: RunPolicy, refuse: FaultTeller): void {
  if (request.image === undefined) refuse(['image'], 'is required: name an image (or a language)');
  else refuseRegistry(request.image, 'image', policy, refuse);
  if (request.code !== undefined)
    refuse(
      ['code'],
      'needs a language; give an image its files with `files`, and say with `command` what to do',
    );
  if (request.entrypoint?.length === 0 && (request.command?.length ?? 0) === 0)
    refuse(['command'], 'is required when entrypoint is empty');
}

function refuseInLanguageRun(
  request: RunRequest,
  wanted: string,
  policy: RunPolicy,
  refuse: FaultTeller,
): void {
  if (request.command !== undefined)
    refuse(['command'], 'needs an image: a language brings its own; see `args`');
  if (request.entrypoint !== undefined) refuse(['entrypoint'], 'needs an image: a language brings its own');
  if (request.code !== undefined && request.files.length > 0)
    refuse(['files'], 'must not stand beside code: put the code among the files');
  if (request.code === undefined && request.files.length === 0)
    refuse(['code'], 'is required: give the program as `code`, or as `files`');
  const { language, fault } = languageFor(wanted);
  if (language === undefined) refuse(['language'], fault);
  else refuseRegistry(language.image, 'language', policy, refuse);
}

function refuseRegistry(image: string, field: string, policy: RunPolicy, refuse: FaultTeller): void {
  const registry = parseImageReference(image)?.registry;
  if (registry === undefined || policy.registries.length === 0 || policy.registries.includes(registry))
    return;
  refuse([field], `comes from ${registry}; the operator allows ${policy.registries.join(', ')}`);
}

function refuseStdin(request: RunRequest, refuse: FaultTeller): void {
  if (request.stdinEncoding === 'base64' && request.stdin !== undefined && !isBase64(request.stdin))
    refuse(['stdin'], 'is not valid base64');
  for (const [index, { stdin, stdinEncoding }] of request.inputs.entries())
    if (stdinEncoding === 'base64' && stdin !== undefined && !isBase64(stdin))
      refuse(['inputs', index, 'stdin'], 'is not valid base64');
  if (request.stdin !== undefined && request.inputs.length > 0)
    refuse(['stdin'], 'must not stand beside inputs: each input has its own stdin');
  if (request.interactive && request.inputs.length > 0)
    refuse(['inputs'], 'must not stand beside interactive: an interactive run has one step');
  if (request.tty && !request.interactive)
    refuse(['tty'], 'needs "interactive": true, so that there is somebody at the terminal');
}

/** The first size of a terminal: both of it, and a terminal. */
export function refuseTerminal(
  request: Partial<Pick<RunRequest, 'tty' | 'cols' | 'rows'>>,
  refuse: FaultTeller,
): void {
  const { tty, cols, rows } = request;
  for (const [name, value, other] of [
    ['cols', cols, rows],
    ['rows', rows, cols],
  ] as const) {
    if (value !== undefined && tty !== true) refuse([name], 'needs "tty": true');
    if (value === undefined && other !== undefined) refuse([name], 'is required: a size has cols and rows');
  }
}

function refusePayload(request: RunRequest, most: number, refuse: FaultTeller): void {
  const { files, limits } = request;
  const fileBytes =
    files.reduce((sum, { content, encoding }) => sum + decodedBytes(content, encoding), 0) +
    decodedBytes(request.code ?? '', 'utf8');
  const field = request.code === undefined ? 'files' : 'code';
  if (fileBytes > limits.diskBytes)
    refuse([field], `has ${fileBytes} bytes, more than limits.diskBytes (${limits.diskBytes}) can hold`);
  const stdinBytes = [request, ...request.inputs].reduce(
    (sum, { stdin, stdinEncoding }) => sum + decodedBytes(stdin ?? '', stdinEncoding),
    0,
  );
  if (fileBytes + stdinBytes > most)
    refuse(
      [fileBytes >= stdinBytes ? field : request.inputs.length > 0 ? 'inputs' : 'stdin'],
      `has too much: files, code and stdin together may have ${most} bytes (RUNLET_MAX_PAYLOAD_BYTES)`,
    );
}

/** Nobody types a REPL's session in the ten seconds that others get. */
const interactiveTimeoutMs = 3_600_000;

/**
 * Defaults that depend on what else the request says: of its language, and of a run that somebody talks to. Put in
 * before the schema, which has the common ones. None lies above the operator's maximum.
 */
export function applyDependentDefaults(value: unknown, max: LimitMaxima): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const request = value as Record<string, unknown>;
  const isCode = typeof request.language === 'string';
  if (!isCode && request.interactive !== true) return value;
  const own: { [name in keyof LimitMaxima]?: number | undefined } = {
    ...(isCode && languageFor(request.language as string).language?.limits),
    ...(request.interactive === true && { timeoutMs: interactiveTimeoutMs }),
  };
  const defaults = Object.entries(own).map(([name, amount = 0]) => [
    name,
    Math.min(amount, max[name as keyof LimitMaxima]),
  ]);
  const { limits = {} } = request;
  // What is no object is the schema's to refuse.
  const plain = typeof limits === 'object' && limits !== null && !Array.isArray(limits);
  return {
    ...request,
    ...(isCode && request.workdir === undefined && { workdir: languageWorkdir }),
    limits: plain ? { ...Object.fromEntries(defaults), ...limits } : limits,
  };
}
