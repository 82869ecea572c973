import type { Worker } from '../../../shared/contracts/worker.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors.ts';
import { fetchList } from '../http/fetch-list.ts';
import { type Check, failed, skipped } from './check.ts';
import { checkConfig } from './config-checks.ts';
import { checkKey, checkReachable, checkReady } from './server-checks.ts';
import { checkWorkers } from './worker-checks.ts';

/** All checks. A check comes after those that it depends on. */
export async function examine({ api, config }: Context): Promise<Check[]> {
  const checks = checkConfig(config);
  const { checks: server, reachable } = await checkReachable(api);
  checks.push(...server);
  if (!reachable)
    return [...checks, ...['ready', 'key accepted', 'workers'].map((name) => skipped(name, 'no server'))];
  checks.push(...(await guarded('ready', () => checkReady(api))));
  if (config.apiKey === undefined)
    return [...checks, skipped('key accepted', 'no key'), skipped('workers', 'no key')];
  const key = await guarded('key accepted', async () => [await checkKey(api)]);
  checks.push(...key);
  if (key.some(({ status }) => status === 'failed'))
    return [...checks, skipped('workers', 'the key is not accepted')];
  checks.push(
    ...(await guarded('workers', async () => {
      try {
        const { data } = await fetchList<Worker>(api, '/v1/workers');
        return checkWorkers(data, Date.now());
      } catch (error) {
        if (!(error instanceof ApiError) || error.problem.status !== 403) throw error;
        return [skipped('workers', 'the key is a member’s: an admin’s is shown the workers')];
      }
    })),
  );
  return checks;
}

/** A check that throws counts as failed. The other checks are still made. */
async function guarded(name: string, look: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await look();
  } catch (error) {
    const detail =
      error instanceof ApiError ? `${error.problem.title}: ${error.message}` : (error as Error).message;
    return [failed(name, detail, 'See the server’s log.')];
  }
}
