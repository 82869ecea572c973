import type { ProblemBody } from '../../../shared/contracts/problem.ts';
import type { ServiceRequest } from '../../../shared/contracts/service.ts';
import { Problem } from '../../../shared/problems.ts';
import type { ContainerState } from '../engine/containers.ts';
import type { Next } from './restart-policy.ts';

/** How long it ran before it ended. */
export function ranMs({ startedAt, finishedAt }: ContainerState): number {
  return Math.max(0, Date.parse(finishedAt ?? '') - Date.parse(startedAt ?? '')) || 0;
}

/** What the user is told of an end; null where the program ended with exit code 0 and is not started again. */
export function endProblem(
  container: ContainerState,
  { limits }: Pick<ServiceRequest, 'limits'>,
  { withEngine, next, lastWords }: { withEngine: boolean; next: Next; lastWords: string },
): ProblemBody | null {
  const { exitCode, oomKilled } = container;
  if (!next.again && exitCode === 0 && !oomKilled && !withEngine) return null;
  const after = next.again ? `; it is started again in ${(next.waitMs / 1000).toFixed(1)} s` : '';
  return new Problem(
    withEngine ? 'container_lost' : 'service_crashed',
    `${howItEnded(container, limits, withEngine)}${after}.${lastWords}`,
  ).toBody();
}

function howItEnded(
  { exitCode, oomKilled }: ContainerState,
  limits: ServiceRequest['limits'],
  withEngine: boolean,
): string {
  if (withEngine) return 'Its engine was stopped or restarted, and ended it';
  if (oomKilled) return `It was killed for want of memory (limits.memoryBytes is ${limits.memoryBytes})`;
  return `It ended by itself with exit code ${exitCode}`;
}
