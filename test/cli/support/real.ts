import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredKey } from '../../../services/gateway/stores/api-keys.ts';
import type { Run } from '../../../shared/contracts/run.ts';
import { createLog } from '../../../shared/log.ts';
import { connectRedis } from '../../../shared/redis.ts';
import { type AttachMessage, consumeAttach, readAttach } from '../../../shared/stores/attach.ts';
import type { Holder } from '../../../shared/stores/runs.ts';
import { startGateway } from '../../gateway/support.ts';
import { actAsWorker } from '../../gateway/worker.ts';
import { testKey } from './stub-api.ts';

/** The real gateway, with the tests in the worker's place: what a program does is the test's own. */
export async function startReal() {
  const on = await startGateway();
  const identity: StoredKey = { keyId: 'key_cli', tenant: 'default', role: 'admin' };
  await on.gateway.apiKeys.put(testKey, identity);
  const blocking = connectRedis(on.gateway.env.RUNLET_REDIS_URL, 'loop', createLog('test', 'silent'));
  const seen = new Set<string>();

  return {
    on,
    url: on.url,
    worker: actAsWorker(on),
    /** The next run that somebody asks for. */
    async nextRun(): Promise<Run> {
      for (;;) {
        const ids = await on.gateway.runs.ids('default', undefined, 100);
        const id = ids.find((one) => !seen.has(one));
        if (id !== undefined) {
          seen.add(id);
          return (await on.call('GET', `/v1/runs/${id}`)).json() as Promise<Run>;
        }
        await sleep(20);
      }
    },
    /** Input of attached clients, as it comes, for as long as `take` wants more. */
    async input(holder: Holder, take: (message: AttachMessage) => Promise<boolean> | boolean): Promise<void> {
      for (;;) {
        for (const { id, message } of await readAttach(blocking, on.keys, holder.runId, '0', 200)) {
          await consumeAttach(on.redis, on.keys, holder.runId, [id]);
          if (!(await take(message))) return;
        }
      }
    },
    async stop() {
      blocking.disconnect();
      await on.stop();
    },
  };
}

export type Real = Awaited<ReturnType<typeof startReal>>;
