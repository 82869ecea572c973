import type { ProblemBody } from '../../shared/contracts/problem.ts';

/** A problem as the CLI shows it. A problem that did not come from the server has no HTTP status. */
export type ShownProblem = Omit<ProblemBody, 'status'> & { status?: number };

/** The command line itself is wrong. The exit code is 2, as with the shell's own tools. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The server answered, and the answer is a problem. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly problem: ShownProblem;
  /** The wait that `Retry-After` asked for, if the header was there. */
  readonly retryAfterMs: number | undefined;

  constructor(problem: ShownProblem, retryAfterMs?: number) {
    super(problem.detail);
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }
}

/** There was no answer, or it broke off. It is not known whether the server acted on the request. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  /** The address itself is at fault, so another try would fail in the same way. */
  readonly isFinal: boolean;

  constructor(message: string, { isFinal = false, ...options }: ErrorOptions & { isFinal?: boolean } = {}) {
    super(message, options);
    this.isFinal = isFinal;
  }
}

/** The user pressed Ctrl-C before there was anything to cancel. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/** Every error as a problem, so that `--json` has one shape for all of them. */
export function toProblem(error: unknown): ShownProblem {
  if (error instanceof ApiError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) return ownProblem('usage', 'The command line is not valid', detail);
  if (error instanceof ConnectionError)
    return ownProblem('connection_failed', 'The Runlet server cannot be reached', detail);
  if (error instanceof InterruptedError) return ownProblem('interrupted', 'Interrupted', detail);
  return ownProblem('cli_failed', 'The command failed', detail);
}

/** A problem of the CLI's own, not from the server. */
export function ownProblem(code: string, title: string, detail: string): ShownProblem {
  return { type: `https://runlet.dev/problems/${code}`, title, detail, code };
}
