import { Problem } from '../../../../shared/problems.ts';
import { causeIn } from '../causes.ts';

/** The engine answered, and refused, with this status and text. It is thrown only within engine/docker/. */
export class EngineRefusal extends Error {
  override readonly name = 'EngineRefusal';
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

/** Raw failure of the client library → refusal, if the engine did answer; else a Problem `engine_unavailable`. */
export function fromClient(error: unknown, shown: string): EngineRefusal | Problem {
  if (error instanceof EngineRefusal || error instanceof Problem) return error;
  const raw = error as { statusCode?: unknown; json?: unknown; message?: string; code?: string };
  if (typeof raw.statusCode === 'number')
    return new EngineRefusal(raw.statusCode, refusalText(raw.json) ?? bare(raw.message ?? ''));
  return unavailable(shown, nameOf(raw.code), error);
}

/** As in `ECONNREFUSED`. Messages are not used: they may quote an answer. */
const nameOf = (code: unknown): string =>
  typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? code : 'the connection failed';

/** The library's message without what it puts in front: `(HTTP code 404) unexpected - `. */
function bare(message: string): string {
  return message.replace(/^\(HTTP code \d+\) .*? - /, '').trim();
}

function refusalText(json: unknown): string | undefined {
  if (Buffer.isBuffer(json)) return json.toString('utf8');
  const message = (json as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : undefined;
}

export function unavailable(shown: string, why: string, cause?: unknown): Problem {
  return new Problem(
    'engine_unavailable',
    `The engine at ${shown} cannot be reached (${why}). ` +
      'See that dockerd runs, that DOCKER_HOST names its address, and that this user may open it.',
    { cause },
  );
}

export function tooSlow(shown: string, what: string, deadlineMs: number): Problem {
  return new Problem(
    'engine_unavailable',
    `The engine at ${shown} did not answer within ${deadlineMs / 1000} s (${what}). See its log and the machine’s load.`,
  );
}

/** A refusal that no one expected, as a Problem; anything else unchanged. */
export function unexpected(error: unknown, what: string): unknown {
  if (!(error instanceof EngineRefusal)) return error;
  return new Problem('internal', `The engine refused to ${what}: ${causeIn(error.message)}.`, {
    cause: error,
  });
}

/** An engine's text, to be matched or logged: one line, of bounded length. */
export function oneLine(text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  return flat.length > 600 ? `${[...flat].slice(0, 600).join('')}…` : flat;
}

export function isRefusal(error: unknown, ...statuses: number[]): error is EngineRefusal {
  return error instanceof EngineRefusal && statuses.includes(error.status);
}
