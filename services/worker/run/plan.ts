import { stackOf } from '../../../shared/contracts/limits.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { languageEnv, type RuntimeLimits } from '../../../shared/languages/index.ts';
import { compilerLimitsOf, filesOf, type PlannedFile, stepsOf } from '../../../shared/run-plan.ts';
import { compileStep } from '../../../shared/stores/run-record.ts';
import type { ImageInfo } from '../engine/images.ts';
import { languageOf } from '../images/image-of.ts';
import { resolveCommand } from '../sandbox/program/command.ts';
import { programEnvironment } from '../sandbox/program/environment.ts';
import { workdirFor } from '../sandbox/program/folders.ts';
import type { ProgramStep } from './run-steps.ts';

/** What the init of a sandbox is told: nothing of it depends on the image any more. */
export type Plan = { workdir: string; files: PlannedFile[]; steps: ProgramStep[] };

/** The size of a terminal for which no client has given one. */
const usualTerminal = { cols: 80, rows: 24 };

/**
 * Pure. Throws a Problem `image_without_command`.
 * @param folders `null`: it runs in a service's container, with the environment and home that are there, and without folders of its own
 */
export function planRun(
  request: RunRequest,
  image: ImageInfo,
  folders: { path: string }[] | null,
  userName?: string,
): Plan {
  const { limits, compileLimits } = request;
  const compilerLimits = compilerLimitsOf(request);
  const language = languageOf(request);
  const envWithin = (within: RuntimeLimits) =>
    folders === null
      ? { ...(request.tty && { TERM: 'xterm' }), ...request.env }
      : programEnvironment(request, image, folders, language && languageEnv(language, within), userName);
  const env = envWithin(limits);
  const compilerEnv = compileLimits === undefined ? env : envWithin(compilerLimits);
  const steps = stepsOf(request).map((step): ProgramStep => {
    const compile = step.name === compileStep;
    return {
      name: step.name,
      argv: [...(step.argv ?? commandOf(request, image)), ...step.args],
      env: compile ? compilerEnv : env,
      ownEnvironment: folders === null,
      stdin: step.stdin,
      stdinOpen: step.stdinOpen,
      tty: step.tty ? { ...usualTerminal, ...sizeOf(request) } : undefined,
      mergeStderr: request.mergeStderr,
      // A service's container has its own stack limit.
      stackBytes: folders === null ? undefined : stackOf(compile ? compilerLimits : limits),
      memoryBytes: compile ? compilerLimits.memoryBytes : limits.memoryBytes,
      wallMs: compile
        ? (compileLimits?.timeoutMs ?? Math.max(limits.timeoutMs, language?.compileTimeoutMs ?? 0))
        : limits.timeoutMs,
      cpuMs: compile ? (compileLimits?.cpuTimeMs ?? null) : limits.cpuTimeMs,
      outputBytes: (compile ? compileLimits?.outputBytes : undefined) ?? limits.outputBytes,
      expectedStdout: step.expectedStdout,
    };
  });
  return { workdir: workdirFor(request.workdir, image.workdir), files: filesOf(request), steps };
}

const sizeOf = ({ cols, rows }: RunRequest) =>
  cols === undefined || rows === undefined ? {} : { cols, rows };

function commandOf(request: RunRequest, image: ImageInfo): string[] {
  const { entrypoint, command } = resolveCommand(request, image, request.image ?? image.id);
  return [...entrypoint, ...command];
}
