import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { ProblemBody } from '../../../shared/contracts/problem.ts';

export type StubContext = Context<{ Bindings: HttpBindings }>;

export function problem(status: number, code: string, title: string, detail: string): ProblemBody {
  return { type: `https://runlet.dev/problems/${code}`, title, status, detail, code };
}

/** Problems as the contract has them: their own media type. */
export function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  const type = status >= 400 ? 'application/problem+json' : 'application/json';
  return new Response(JSON.stringify(body), { status, headers: { ...headers, 'content-type': type } });
}
