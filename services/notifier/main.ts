import packageJson from '../../package.json' with { type: 'json' };
import { lockMsOf, takeEnvironment } from '../../shared/config.ts';
import { newId } from '../../shared/ids.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { lookUpBy } from '../../shared/net/look-up.ts';
import { closeRedis, connectRedis, waitForRedis } from '../../shared/redis.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { createDeliveryStore } from '../../shared/stores/deliveries.ts';
import { createNotifierStore } from '../../shared/stores/notifiers.ts';
import { createOutboxStore } from '../../shared/stores/outbox.ts';
import { previewer } from '../../shared/stores/run-preview.ts';
import { createWebhookStore } from '../../shared/stores/webhooks.ts';
import { createWakeups } from '../../shared/wakeups.ts';
import { targetPolicy } from '../../shared/webhooks/target.ts';
import { shutdownWaitMs, within } from '../../shared/within.ts';
import { createDeliver } from './deliver.ts';
import { createDeliveryQueue } from './delivery-queue.ts';
import { notifierEnvironment } from './environment.ts';
import { createPoster } from './http/post.ts';
import { createOutboxPump } from './outbox-pump.ts';
import { createReceivers } from './receivers.ts';
import { createSweep } from './sweep.ts';

const env = takeEnvironment(notifierEnvironment);
const log = createLog('notifier', env.RUNLET_LOG_LEVEL);
const id = newId('ntf');
const keys = keysFor(env.RUNLET_REDIS_PREFIX);
const redis = connectRedis(env.RUNLET_REDIS_URL, 'loop', log);
const subscriber = connectRedis(env.RUNLET_REDIS_URL, 'loop', log);
await waitForRedis(redis, env.RUNLET_REDIS_URL, 30_000);

const sealer = sealerFor(env.RUNLET_SECRET_KEY);
const deliveries = createDeliveryStore(redis, keys, sealer);
const webhooks = createWebhookStore(redis, keys, sealer);
const notifiers = createNotifierStore(redis, keys);
const receivers = createReceivers({
  places: env.RUNLET_WEBHOOK_CONCURRENCY,
  maxActive: env.RUNLET_WEBHOOK_ENDPOINT_CONCURRENCY,
  recall: (delivery) => void queue.bringForward(delivery),
});
const poster = createPoster({
  policy: targetPolicy(env),
  lookUp: lookUpBy(env.RUNLET_WEBHOOK_DNS),
  timeoutMs: env.RUNLET_WEBHOOK_TIMEOUT_MS,
});
const queue = createDeliveryQueue({
  redis,
  keys,
  concurrency: env.RUNLET_WEBHOOK_CONCURRENCY,
  lockMs: lockMsOf(env),
  deliver: createDeliver({
    deliveries,
    webhooks,
    receivers,
    poster,
    schedule: env.RUNLET_WEBHOOK_SCHEDULE_MS,
    userAgent: `Runlet/${packageJson.version}`,
    log,
  }),
  log,
});
const pump = createOutboxPump({
  outbox: createOutboxStore(redis, keys, sealer),
  deliveries,
  webhooks,
  queue,
  receivers,
  preview: previewer(redis, keys),
  publicUrl: env.RUNLET_PUBLIC_URL,
  log,
});
const sweep = createSweep({
  deliveries,
  queue,
  receivers,
  retention: {
    ms: env.RUNLET_WEBHOOK_RETENTION_MS,
    deliveries: env.RUNLET_WEBHOOK_RETENTION_DELIVERIES,
    bytes: env.RUNLET_WEBHOOK_RETENTION_BYTES,
  },
  log,
});

await queue.open();
const unlisten = await createWakeups(subscriber).listen(keys.outboxWake, (message) => {
  if (!message.startsWith('del_')) pump.wake();
  else queue.hurry(message).catch((error: Error) => log.warn({ reason: error.message }, 'hint was lost'));
});
pump.start();
sweep.start();
const stopBeating = await notifiers.beat(id, log);
log.info({ notifier: id }, 'ready');

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  queue.takeNoMore();
  log.info('stopping');
  unlisten();
  await within(shutdownWaitMs, pump.stop());
  await within(shutdownWaitMs, sweep.stop());
  await queue.close(env.RUNLET_DRAIN_MS, poster.close);
  await within(shutdownWaitMs, stopBeating());
  await Promise.all([redis, subscriber].map(closeRedis));
  log.info('stopped');
  process.exit(0);
}
process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());
