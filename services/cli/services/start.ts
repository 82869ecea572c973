import type { Service } from '../../../shared/contracts/service.ts';
import type { Context } from '../context.ts';
import { ApiError, ownProblem } from '../errors.ts';
import { servicePath } from '../http/paths.ts';
import { waitFor } from './wait-for.ts';

const maxWaitMs = 60_000;

/**
 * Starts a service, or restarts it, and waits until it is ready. Throws the reason if it is not. A service that ends by itself with exit
 * code 0 counts as a success.
 */
export async function startService(
  context: Context,
  name: string,
  how: 'start' | 'restart' = 'start',
): Promise<void> {
  const begun = await context.api.json<Service>({
    method: 'POST',
    path: servicePath(name, `/${how}`),
  });
  const service = await waitFor(context, begun, maxWaitMs);
  if (service.status === 'ready' || (service.status === 'stopped' && service.exitCode === 0)) return;
  throw new ApiError(
    service.error ??
      ownProblem(
        'service_not_ready',
        'The service is not ready',
        `It is ${service.status}: see \`runlet services ${name}\` and \`runlet logs ${name}\`.`,
      ),
  );
}
