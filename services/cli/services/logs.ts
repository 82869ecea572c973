import type { ProblemBody } from '../../../shared/contracts/problem.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors.ts';
import { servicePath } from '../http/paths.ts';
import { readEvents } from '../http/sse.ts';
import { jsonText } from '../output/harmless.ts';

type Line = { data: string; encoding: 'utf8' | 'base64'; at: string };

/** Shows what a service has written. With `follow` it also shows new output, until the container ends or Ctrl-C. */
export async function showServiceLogs(
  context: Context,
  name: string,
  follow: boolean,
  tail: number,
): Promise<void> {
  const path = servicePath(name, `/logs?follow=${follow}&tail=${tail}`);
  const answer = await context.api.open({ path, headers: { accept: 'text/event-stream' } });
  for await (const { event, data } of readEvents(answer, context.api.url)) {
    if (event === 'end') {
      const { error } = JSON.parse(data) as { error?: ProblemBody | null };
      if (error) throw new ApiError(error);
      return;
    }
    if (event !== 'stdout' && event !== 'stderr') continue;
    const line = JSON.parse(data) as Line;
    if (context.json) await context.out.line(jsonText({ type: event, ...line }));
    else await (event === 'stdout' ? context.out : context.err).write(Buffer.from(line.data, line.encoding));
    if (context.out.closed) return;
  }
}
