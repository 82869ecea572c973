import type { ApiClient } from './api-client.ts';

export type Page<T> = { data: T[]; nextCursor: string | null };

// The contract's limit for the entries of one answer.
const pageSize = 100;

/**
 * Follows `nextCursor` until there are `limit` entries or no more pages. Returns them in the shape of the API's own
 * lists.
 */
export async function fetchList<T>(
  api: ApiClient,
  path: string,
  query: Record<string, string> = {},
  limit: number = Number.POSITIVE_INFINITY,
): Promise<Page<T>> {
  const data: T[] = [];
  let cursor: string | null = null;
  do {
    const count = Number.isFinite(limit) ? { limit: String(Math.min(pageSize, limit - data.length)) } : {};
    const search = new URLSearchParams({ ...query, ...count, ...(cursor !== null && { cursor }) }).toString();
    const page: Page<T> = await api.json<Page<T>>({ path: search === '' ? path : `${path}?${search}` });
    data.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor !== null && data.length < limit);
  return { data, nextCursor: cursor };
}
