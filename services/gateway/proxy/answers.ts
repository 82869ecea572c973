import { STATUS_CODES } from 'node:http';
import type { Problem } from '../../../shared/problems.ts';
import type { Caller } from './clients/caller.ts';

/** Fields of every answer of our own on a service's origin: it is nobody's page, and kept by nobody. */
const always = [
  'Cache-Control',
  'no-store',
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'no-referrer',
];

/** RFC 9457 */
export function problemFields(problem: Problem): string[] {
  const fields = ['Content-Type', 'application/problem+json', ...always];
  if (problem.retryAfterSeconds !== undefined) fields.push('Retry-After', String(problem.retryAfterSeconds));
  // RFC 9110 §11.6.1
  if (problem.code === 'unauthorized') fields.push('WWW-Authenticate', 'Bearer realm="runlet"');
  return fields;
}

export const problemBody = (problem: Problem) => Buffer.from(JSON.stringify(problem.toBody()));

export function answerProblem(caller: Caller, problem: Problem): void {
  answer(caller, problem.status, problemFields(problem), problemBody(problem));
}

/** @param location must hold what a field may hold, and lead where it is safe to lead */
export function answerRedirect(
  caller: Caller,
  status: 303 | 308,
  location: string,
  more: string[] = [],
): void {
  answer(caller, status, [...always, 'Location', location, ...more], Buffer.alloc(0));
}

function answer(caller: Caller, status: number, fields: string[], body: Buffer): void {
  const bare = caller.method === 'HEAD';
  const all = [...fields, 'Content-Length', String(body.length)];
  caller.answer(status, STATUS_CODES[status] ?? '', all, bare ? null : body.length, false);
  if (!bare && body.length > 0) caller.write(body);
  caller.end([], false);
}

/** The lines of an answer's head, without the empty one. @param fields name, value, name, value */
export function headText(status: number, reason: string, fields: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return text;
}
