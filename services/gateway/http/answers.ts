import type { ProblemBody } from '../../../shared/contracts/problem.ts';
import type { Problem } from '../../../shared/problems.ts';

/** JSON with its headers; `text` is JSON already. Its length says whether it is worth compressing (compress.ts). */
export function json(status: number, text: string, headers: Record<string, string> = {}): Response {
  const length = String(Buffer.byteLength(text));
  return new Response(text, {
    status,
    headers: { 'content-type': 'application/json', 'content-length': length, ...headers },
  });
}

export const ok = (value: unknown, headers?: Record<string, string>) =>
  json(200, JSON.stringify(value), headers);

export const noContent = () => new Response(null, { status: 204 });

/** RFC 9457. */
export function problemAnswer(problem: Problem, headers: Record<string, string> = {}): Response {
  return problemBodyAnswer(problem.toBody(), {
    ...(problem.retryAfterSeconds !== undefined && { 'retry-after': String(problem.retryAfterSeconds) }),
    ...headers,
  });
}

export function problemBodyAnswer(body: ProblemBody, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status: body.status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  });
}
