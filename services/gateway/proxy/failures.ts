import { Problem } from '../../../shared/problems.ts';
import type { ServiceHead } from '../../../shared/stores/service-record.ts';
import type { Failure } from './http1/connection.ts';

/** The answer when the container gave none. */
export function failureProblem({ name, request }: ServiceHead, failure: Failure | 'full'): Problem {
  if (failure === 'full')
    return new Problem('overloaded', `The service ${name} has too many connections: try again in a moment.`, {
      retryAfterSeconds: 1,
    });
  switch (failure.kind) {
    case 'refused':
      return new Problem(
        'service_unreachable',
        `The service ${name} takes no connection on port ${request.port} (${failure.reason}): does it listen there, on all its addresses?`,
      );
    case 'closed':
      return new Problem(
        'service_unreachable',
        `The service ${name} broke off before it answered (${failure.reason}): see its logs.`,
      );
    case 'garbled':
      return new Problem(
        'service_unreachable',
        `What the service ${name} answered is not HTTP/1.1: ${failure.reason}.`,
      );
    case 'timeout':
      return new Problem('service_timeout', `The service ${name} gave ${failure.reason}.`);
  }
}
