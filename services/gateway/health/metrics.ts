import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { terminalStatuses } from '../../../shared/run-states.ts';
import { durationBuckets } from '../../../shared/stores/runs.ts';
import type { Gateway } from '../gateway.ts';
import type { RequestObserver } from '../http/observe.ts';

export type MetricsParts = Pick<
  Gateway,
  'deliveries' | 'figures' | 'notifiers' | 'outbox' | 'queue' | 'room' | 'workers'
>;

export type Metrics = { text(): Promise<string>; contentType: string };

/** Requests of this process, counted as they are answered. */
export function createRequestMetrics(): { registry: Registry; count: RequestObserver } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'runlet_http_requests_total',
    help: 'Requests answered, by route pattern.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'runlet_http_request_duration_seconds',
    help: 'Time to the answer (for streams: to their headers).',
    labelNames: ['method', 'route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [registry],
  });
  return {
    registry,
    count(route, method, status, took) {
      requests.inc({ method, route, status });
      seconds.observe({ method, route }, took);
    },
  };
}

/** The figures of this process, and those that all programs share through Redis, which are the same from every gateway. */
export function createMetrics(gateway: MetricsParts, process: Registry): Metrics {
  return {
    contentType: Registry.PROMETHEUS_CONTENT_TYPE,
    async text() {
      const stats = await gateway.figures.counters();
      const [own, shared] = await Promise.all([process.metrics(), sharedMetrics(gateway, stats)]);
      return `${own}\n${shared}\n${durationText(stats)}`;
    },
  };
}

async function sharedMetrics(gateway: MetricsParts, stats: Record<string, string>): Promise<string> {
  const [{ open, due, ended }, depth, workers, pending, outbox, outboxLagMs, notifiers] = await Promise.all([
    gateway.figures.runs(),
    gateway.queue.depth(),
    gateway.workers.list(),
    gateway.deliveries.pendingCount(),
    gateway.outbox.size(),
    gateway.outbox.lagMs(),
    gateway.notifiers.count(),
  ]);
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] });

  gauge('runlet_runs_open', 'Runs that have not ended.').set(open);
  gauge('runlet_runs_due', 'Runs that have not ended and may start or have started.').set(due);
  gauge('runlet_runs_retained', 'Runs that have ended and are kept.').set(ended);
  gauge('runlet_open_bytes', 'Bytes of requests: of runs that have not ended, and of services.').set(
    Number(stats.openBytes ?? 0),
  );
  const memory = gauge('runlet_redis_memory_bytes', 'Redis’s memory: `used`, and `most` (0: no limit).', [
    'kind',
  ]);
  const { usedBytes, maxBytes } = await gateway.room.look();
  memory.set({ kind: 'used' }, usedBytes);
  memory.set({ kind: 'most' }, maxBytes);
  gauge('runlet_retained_bytes', 'Bytes kept of ended runs.').set(Number(stats.retainedBytes ?? 0));
  const queue = gauge('runlet_queue_jobs', 'Jobs of the queue of runs.', ['state']);
  for (const [state, count] of Object.entries(depth)) queue.set({ state }, count);
  const total = new Counter({
    name: 'runlet_runs_total',
    help: 'Runs that have ended, by final status.',
    labelNames: ['status'],
    registers: [registry],
  });
  const warmRuns = new Counter({
    name: 'runlet_runs_warm_total',
    help: 'Runs that ended in a sandbox that was made ahead.',
    registers: [registry],
  });
  warmRuns.inc(Number(stats.warm ?? 0));
  for (const status of terminalStatuses) total.inc({ status }, Number(stats[`runs:${status}`] ?? 0));

  gauge('runlet_notifiers', 'Notifiers that live: without one no webhook is delivered.').set(notifiers);
  gauge('runlet_webhook_deliveries_pending', 'Deliveries that have not ended.').set(pending);
  gauge('runlet_webhook_outbox', 'Events that are no deliveries yet.').set(outbox);
  gauge('runlet_webhook_outbox_lag_seconds', 'How long the oldest of them has waited.').set(
    outboxLagMs / 1000,
  );
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers: [registry] });
  counter('runlet_webhook_attempts_total', 'Tries of deliveries.').inc(Number(stats.attempts ?? 0));
  const deliveries = counter('runlet_webhook_deliveries_total', 'Deliveries that have ended, by outcome.', [
    'status',
  ]);
  for (const status of ['delivered', 'failed'])
    deliveries.inc({ status }, Number(stats[`deliveries:${status}`] ?? 0));

  gauge('runlet_workers', 'Workers that live.').set(workers.length);
  const capacity = gauge('runlet_worker_capacity', 'What a worker’s runs may reserve.', [
    'worker',
    'resource',
  ]);
  const inUse = gauge('runlet_worker_in_use', 'What a worker’s runs have reserved.', ['worker', 'resource']);
  const warm = gauge('runlet_worker_warm_sandboxes', 'Sandboxes that were made ahead and wait.', [
    'worker',
    'image',
    'isolation',
  ]);
  const driver = gauge(
    'runlet_worker_driver',
    'What may start a worker’s sandboxes: 1 where it can, 0 where it cannot. `oci` comes before `engine`.',
    ['worker', 'driver'],
  );
  for (const worker of workers) {
    for (const { name, unavailable } of worker.drivers ?? [])
      driver.set({ worker: worker.id, driver: name }, unavailable === null ? 1 : 0);
    for (const { image, isolation, count } of worker.warm)
      warm.inc({ worker: worker.id, image, isolation }, count);
    for (const resource of ['memoryBytes', 'cpus'] as const)
      capacity.set({ worker: worker.id, resource }, worker.capacity[resource]);
    for (const resource of ['memoryBytes', 'cpus', 'runs'] as const)
      inUse.set({ worker: worker.id, resource }, worker.inUse[resource]);
  }
  return registry.metrics();
}

/**
 * The histogram of runs' whole time. Its buckets are counted by Redis (finish.lua), each for itself; Prometheus
 * wants each to hold those below it. A client library's histogram cannot be set, only observed: hence by hand.
 */
function durationText(stats: Record<string, string>): string {
  const name = 'runlet_run_duration_seconds';
  const lines = [`# HELP ${name} Time from the request to the end of a run.`, `# TYPE ${name} histogram`];
  let below = 0;
  for (const bound of durationBuckets) {
    below += Number(stats[`duration:le:${bound}`] ?? 0);
    lines.push(`${name}_bucket{le="${bound / 1000}"} ${below}`);
  }
  below += Number(stats['duration:le:inf'] ?? 0);
  lines.push(`${name}_bucket{le="+Inf"} ${below}`);
  lines.push(`${name}_sum ${Number(stats['duration:sum'] ?? 0) / 1000}`, `${name}_count ${below}`);
  return `${lines.join('\n')}\n`;
}
