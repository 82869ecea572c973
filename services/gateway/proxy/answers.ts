import { STATUS_CODES } from 'node:http';
import type { Problem } from '../../../shared/problems.ts';
import { fieldsBeside, problemBody, problemFields, servedByUs } from '../http/problem-fields.ts';
import type { Caller } from './clients/caller.ts';

export function answerProblem(caller: Caller, problem: Problem): void {
  answer(caller, problem.status, problemFields(problem), problemBody(problem));
}

/** A problem that is told by a page. @param fields of the page */
export function answerPage(caller: Caller, problem: Problem, fields: string[], text: string): void {
  answer(caller, problem.status, [...fields, ...fieldsBeside(problem)], Buffer.from(text));
}

/** @param location must be a valid field value, and safe to send a client to */
export function answerRedirect(
  caller: Caller,
  status: 303 | 308,
  location: string,
  more: string[] = [],
): void {
  answer(caller, status, [...servedByUs, 'Location', location, ...more], Buffer.alloc(0));
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
