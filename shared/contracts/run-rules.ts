import { isImageId } from '../images.ts';
import { compilerOptionFault, hasCompiler, type Language } from '../languages/index.ts';
import { registryFault } from '../registries/policy.ts';
import { type LimitMaxima, timeoutForCpu, usualTimeoutMs } from './limits.ts';
import type { RunPolicy, RunRequest } from './run-fields.ts';
import {
  decodedBytes,
  type FaultTeller,
  isAbsolute,
  isBase64,
  refuseClashes,
  refuseKernelFiles,
} from './run-files.ts';
import { languageFor } from './run-language.ts';

/** Rules between the fields of a request. The schema checks each field alone. */

const MiB = 1024 * 1024;
/** Files, code, stdin and expected output are kept in Redis until the run is forgotten. */
export const defaultPayloadBytes = 8 * MiB;

/** The folder in which the program of a language is stored and started. The work folder of the image is not used. */
const languageWorkdir = '/work';

export function refuseContradictions(request: RunRequest, policy: RunPolicy, refuse: FaultTeller): void {
  if (request.image !== undefined && request.language !== undefined)
    refuse(['language'], 'must not stand beside image: name exactly one of the two');
  else if (request.language !== undefined) refuseInLanguageRun(request, request.language, policy, refuse);
  else refuseInImageRun(request, policy, refuse);
  refuseClashes(request.workdir, request.files, refuse);
  refuseKernelFiles(request.workdir, request.files, refuse);
  refuseStdin(request, refuse);
  const { stackBytes, memoryBytes } = request.limits;
  if (stackBytes !== undefined && stackBytes > memoryBytes)
    refuse(
      ['limits', 'stackBytes'],
      `must not be above limits.memoryBytes (${memoryBytes}): a stack is memory`,
    );
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
  else {
    refuseRegistry(request.image, 'image', policy, refuse);
    if (request.pull === 'always' && isImageId(request.image))
      refuse(['pull'], 'must not be "always" with an image’s id: no registry knows an image by it');
  }
  if (request.code !== undefined)
    refuse(
      ['code'],
      'needs a language; give an image its files with `files`, and say with `command` what to do',
    );
  if (request.compileLimits !== undefined)
    refuse(['compileLimits'], 'needs a language: an image has no compile step');
  if (request.compilerOptions?.length)
    refuse(['compilerOptions'], 'needs a language: an image has no compile step');
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
  if (request.files.length > 0 && request.files.every(({ path }) => isAbsolute(path)))
    refuse(['files'], 'has no program: what lies below /tmp is data; give its sources relative paths');
  const { language, fault } = languageFor(wanted);
  if (language === undefined) refuse(['language'], fault);
  else {
    refuseRegistry(language.image, 'language', policy, refuse);
    refuseInCompileStep(request, language, refuse);
  }
}

function refuseInCompileStep(request: RunRequest, language: Language, refuse: FaultTeller): void {
  const { compileLimits, compilerOptions = [], limits, isolation } = request;
  const { compilerOptions: list, name } = language;
  if (compileLimits !== undefined && !hasCompiler(language))
    refuse(['compileLimits'], `has nothing to limit: ${name} has no compiler`);
  if (compilerOptions.length > 0 && list === undefined)
    refuse(['compilerOptions'], `cannot be given: ${name} has no compiler`);
  for (const [index, option] of compilerOptions.entries()) {
    const fault = list && compilerOptionFault(list, option);
    if (fault !== undefined) refuse(['compilerOptions', index], fault);
  }
  const { memoryBytes = limits.memoryBytes } = compileLimits ?? {};
  if (isolation === 'gvisor' && memoryBytes !== limits.memoryBytes)
    refuse(
      ['compileLimits', 'memoryBytes'],
      `must be as limits.memoryBytes (${limits.memoryBytes}) with isolation "gvisor": there all steps have the same memory`,
    );
}

function refuseRegistry(image: string, field: string, policy: RunPolicy, refuse: FaultTeller): void {
  const fault = registryFault(image, policy.registries);
  if (fault !== undefined) refuse([field], fault);
}

function refuseStdin(request: RunRequest, refuse: FaultTeller): void {
  if (request.stdinEncoding === 'base64' && request.stdin !== undefined && !isBase64(request.stdin))
    refuse(['stdin'], 'is not valid base64');
  for (const [index, { stdin, stdinEncoding }] of request.inputs.entries())
    if (stdinEncoding === 'base64' && stdin !== undefined && !isBase64(stdin))
      refuse(['inputs', index, 'stdin'], 'is not valid base64');
  if (request.stdin !== undefined && request.inputs.length > 0)
    refuse(['stdin'], 'must not stand beside inputs: each input has its own stdin');
  if (request.stopOnFailure && request.inputs.length === 0)
    refuse(['stopOnFailure'], 'needs inputs: it says what becomes of those after one that failed');
  if (request.interactive && request.inputs.length > 0)
    refuse(['inputs'], 'must not stand beside interactive: an interactive run has one step');
  if (request.tty && !request.interactive)
    refuse(['tty'], 'needs "interactive": true, so that there is somebody at the terminal');
  refuseSize(request, refuse);
}

/** A terminal's size needs both numbers. A pipe has no size. */
export function refuseSize(
  { tty, cols, rows }: { tty: boolean; cols?: number | undefined; rows?: number | undefined },
  refuse: FaultTeller,
): void {
  const [given, other] = cols !== undefined ? (['cols', 'rows'] as const) : (['rows', 'cols'] as const);
  if (cols === undefined && rows === undefined) return;
  if (cols === undefined || rows === undefined) refuse([other], `is needed beside ${given}`);
  if (!tty) refuse([given], 'needs "tty": true: only a terminal has a size');
}

function refusePayload(request: RunRequest, most: number, refuse: FaultTeller): void {
  const { limits } = request;
  const { fileBytes, stdinBytes } = payloadOf(request);
  const field = request.code === undefined ? 'files' : 'code';
  if (fileBytes > limits.diskBytes)
    refuse([field], `has ${fileBytes} bytes, more than limits.diskBytes (${limits.diskBytes}) can hold`);
  if (fileBytes + stdinBytes > most)
    refuse(
      [fileBytes >= stdinBytes ? field : request.inputs.length > 0 ? 'inputs' : 'stdin'],
      `has too much: files, code, stdin and expected output together may have ${most} bytes (RUNLET_MAX_PAYLOAD_BYTES)`,
    );
}

/** The bytes that a request brings: its files and code, and the stdin of its programs with the output that is expected of them. */
export function payloadOf(
  request: Pick<RunRequest, 'files' | 'code' | 'stdin' | 'stdinEncoding' | 'inputs'>,
) {
  const fileBytes =
    request.files.reduce((sum, { content, encoding }) => sum + decodedBytes(content, encoding), 0) +
    decodedBytes(request.code ?? '', 'utf8');
  const inputBytes = request.inputs.reduce(
    (sum, { stdin, stdinEncoding, expectedStdout }) =>
      sum + decodedBytes(stdin ?? '', stdinEncoding) + decodedBytes(expectedStdout ?? '', 'utf8'),
    0,
  );
  const stdinBytes = decodedBytes(request.stdin ?? '', request.stdinEncoding) + inputBytes;
  return { fileBytes, stdinBytes };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sets `timeoutMs` where `limits` does not have it: to `usualMs`, or to the time that `cpuTimeMs` needs if that is longer. */
export function applyTimeoutDefault(value: unknown, usualMs: number, max: LimitMaxima): unknown {
  if (!isObject(value) || !isObject(value.limits)) return value;
  const timeoutMs = Math.min(Math.max(usualMs, timeoutForCpu(value.limits)), max.timeoutMs);
  return { ...value, limits: { timeoutMs, ...value.limits } };
}

/** A person who types in an interactive run needs more than the ten seconds that other runs get. */
const interactiveTimeoutMs = 3_600_000;

/**
 * Sets the defaults that depend on other fields: on the language, on the other limits, and on whether the run is interactive.
 * They are set before the schema runs, which has the other defaults. No default is higher than the operator's maximum.
 */
export function applyDependentDefaults(value: unknown, max: LimitMaxima): unknown {
  if (!isObject(value)) return value;
  const request = value;
  const { limits = {} } = request;
  // The schema refuses `limits` that is no object.
  if (!isObject(limits)) return value;
  const isCode = typeof request.language === 'string';
  const forCpuMs = timeoutForCpu(limits);
  if (!isCode && request.interactive !== true && forCpuMs === 0) return value;
  const timeoutMs = request.interactive === true ? interactiveTimeoutMs : usualTimeoutMs;
  const own: { [name in keyof LimitMaxima]?: number | undefined } = {
    ...(isCode && languageFor(request.language as string).language?.limits),
    timeoutMs: Math.max(timeoutMs, forCpuMs),
  };
  const defaults = Object.entries(own).map(([name, amount = 0]) => [
    name,
    Math.min(amount, max[name as keyof LimitMaxima]),
  ]);
  return {
    ...request,
    ...(isCode && request.workdir === undefined && { workdir: languageWorkdir }),
    limits: { ...Object.fromEntries(defaults), ...limits },
  };
}
