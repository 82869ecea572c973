import type { ApiClient } from '../http/api-client.ts';

type Redelivered = { count: number; complete: boolean };

// A server that never comes to the end must not keep us for ever.
const maxCalls = 100;

/** Delivers again all that failed since a time, call by call: one looks at so many only. */
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
    // It looked at the same ones again.
    if (part.count === 0) break;
  }
  return { count, complete: false };
}
