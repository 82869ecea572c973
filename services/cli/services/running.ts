import type { Service } from '../../../shared/contracts/service.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors.ts';
import { servicePath } from '../http/paths.ts';
import { waitFor } from './wait-for.ts';

const down = new Set<Service['status']>(['stopped', 'failed', 'crash_looping']);

/**
 * Does what needs a running service. If the server refuses because it does not run: one that is starting or idle is
 * waited for, for so long, and then it is done once more; for a stopped one the error says how to start it.
 */
export async function inRunning<T>(
  context: Context,
  name: string,
  waitMs: number,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!isConflict(error)) throw error;
    const service = await context.api.json<Service>({ path: servicePath(name) });
    if (down.has(service.status)) throw stopped(error, service);
    if (waitMs === 0 || service.status === 'ready') throw error;
    if (service.status === 'starting' || service.status === 'idle')
      context.note(`${name} is ${service.status}: waiting until it is ready …`);
    const now = await waitFor(context, service, waitMs);
    if (down.has(now.status)) throw stopped(error, now);
    return act();
  }
}

export const isConflict = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.problem.code === 'conflict';

function stopped({ problem }: ApiError, { name, status }: Service): ApiError {
  const detail = `${name} is ${status}: \`runlet start ${name}\` starts it.`;
  return new ApiError({ ...problem, title: 'The service does not run', detail });
}
