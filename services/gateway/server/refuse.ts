import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Problem } from '../../../shared/problems.ts';
import { discardRest, endAfterRequest } from '../http/early-answer.ts';
import { problemBody, problemFields } from '../http/problem-fields.ts';

/** Answers a request that no route is to see. Its connection ends with the answer, once the rest of the request has come. */
export function refuse(incoming: IncomingMessage, outgoing: ServerResponse, problem: Problem): void {
  const ignore = () => {};
  incoming.on('error', ignore);
  outgoing.on('error', ignore);
  const { 'content-length': length = '0', 'transfer-encoding': coding } = incoming.headers;
  const unread = coding !== undefined || Number(length) !== 0;
  const body = problemBody(problem);
  const fields = [...problemFields(problem), 'Content-Length', String(body.length)];
  outgoing.shouldKeepAlive = false;
  outgoing.sendDate = false;
  outgoing.writeHead(problem.status, STATUS_CODES[problem.status] ?? '', [
    ...fields,
    ...(unread ? ['Connection', 'close'] : []),
  ]);
  if (incoming.method !== 'HEAD') outgoing.write(body);
  if (unread) endAfterRequest(incoming);
  outgoing.end();
  if (unread) discardRest(incoming);
}
