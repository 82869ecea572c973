import type { ApiClient } from '../http/api-client.ts';

type Redelivered = { count: number; complete: boolean };

// If a server never reports the end, the loop must still stop.
const maxCalls = 100;

/**
 * Redelivers everything that failed since a time. It takes several calls, because one call looks at a limited number.
 */
export async function redeliverFailed(
  api: ApiClient,
  wanted: { since: string; endpoint?: string },
): Promise<Redelivered> {
  let count = 0;
  for (let calls = 0; calls < maxCalls; calls += 1) {
    const part = await api.json<Redelivered>({
      method: 'POST',
      path: '/v1/deliveries/redeliver',
      body: wanted,
    });
    count += part.count;
    if (part.complete) return { count, complete: true };
    // The call looked at the same deliveries again.
    if (part.count === 0) break;
  }
  return { count, complete: false };
}
