import type { Worker } from '../../../shared/contracts/worker.ts';
import { ApiError } from '../errors.ts';
import type { ApiClient } from '../http/api-client.ts';
import { fetchList } from '../http/fetch-list.ts';

/** The workers; none for a key that is not shown them. */
export async function workersOf(api: ApiClient): Promise<Worker[]> {
  try {
    return (await fetchList<Worker>(api, '/v1/workers')).data;
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 403) return [];
    throw error;
  }
}

/** Says what a worker is called. One that is gone, or not shown, has only its id. */
export function namesOf(workers: readonly Worker[]): (id: string) => string {
  const names = new Map(workers.map(({ id, name }) => [id, name]));
  return (id) => names.get(id) ?? id;
}
