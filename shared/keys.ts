/**
 * The names of all keys that Runlet has in Redis. They share one hash tag: the scripts in stores/lua change several keys in one
 * atomic step, which Redis Cluster allows only within one slot.
 */
export function keysFor(prefix: string) {
  const base = `{${prefix}}`;
  const run = (id: string) => `${base}:run:${id}`;
  return {
    base,
    /** Prefix for BullMQ, separate from our own keys. */
    bull: `${base}:bull`,
    /** Hash: a run's record. Kept until it is forgotten. */
    run,
    /** String, sealed: the request of a run that an earlier version stored. Gone when the run ends. */
    spec: (id: string) => `${run(id)}:spec`,
    /** Stream: status, pull, stdout, stderr, exit. Bounded by the run's `outputBytes` and the coalescing of writes. */
    events: (id: string) => `${run(id)}:events`,
    /** Stream, bounded: input of attached clients for an interactive run. Gone when the run ends. */
    attach: (id: string) => `${run(id)}:attach`,
    /** Pub/sub: a hint that the worker took some of that input. */
    attachRoom: (id: string) => `${base}:attach-room:${id}`,
    /** Pub/sub: a hint that the run's stream grew; the message is `finished` at the end. */
    wake: (id: string) => `${base}:wake:${id}`,
    /** Pub/sub: the ends of the runs that one gateway waits for (stores/run-end.ts). */
    ends: (gateway: string) => `${base}:ends:${gateway}`,
    /** Sorted set, all scores 0: the ids of a tenant's runs in order of time. */
    tenantRuns: (tenant: string) => `${base}:tenant:${tenant}:runs`,
    /** Sorted set by the time they are due: runs that have not ended. */
    open: `${base}:open`,
    tenantOpen: (tenant: string) => `${base}:tenant:${tenant}:open`,
    /** Hash: the bytes of a tenant's requests, by the id of the run (until it ends) or of the service; and their sum in `total`. */
    tenantBytes: (tenant: string) => `${base}:tenant:${tenant}:bytes`,
    /** Sorted set by the time of their end: runs that can be forgotten. */
    finished: `${base}:finished`,
    /** Hash: counters that only grow (for metrics), `retainedBytes`, and `openBytes`: the sum of all tenants' bytes. */
    stats: `${base}:stats`,
    /** Hash with a time to live: the request that an Idempotency-Key belongs to. */
    idempotency: (tenant: string, digest: string) => `${base}:idem:${tenant}:${digest}`,
    /** Sorted set: digests of the tenant's Idempotency-Keys by the time of their first use, in ms. */
    idempotencyIndex: (tenant: string) => `${base}:tenant:${tenant}:idempotency`,
    /** Sorted set by the same time: the keys whose answer is kept, as `bytes:digest`. The next key is the sum of these bytes. */
    idempotencyAnswers: (tenant: string) => `${base}:tenant:${tenant}:idempotency:answers`,
    idempotencyBytes: (tenant: string) => `${base}:tenant:${tenant}:idempotency:answers-sum`,
    /** Hash by digest of the key: who it belongs to. */
    apiKeys: `${base}:api-keys`,
    /** Hash by id: the digest of that key. */
    apiKeyIds: `${base}:ids:api-keys`,
    /** Hash by id: when the key was last used, in ms, to the minute. */
    apiKeyUses: `${base}:uses:api-keys`,
    /** Sorted set by time, bounded: digests of revoked keys. A key in it stays revoked, even if something names it again. */
    revokedKeys: `${base}:revoked:api-keys`,
    /**
     * Sorted set by generation, bounded: digests of all keys that came from RUNLET_API_KEY, also of those that were replaced
     * since.
     */
    broughtKeys: `${base}:brought:api-keys`,
    /** Hash by digest: when a gateway last had that key in its environment, in ms. */
    broughtSeen: `${base}:brought-seen:api-keys`,
    /** String: how many keys were revoked so far. A listener compares it to know whether it missed a message. */
    apiKeysRevision: `${base}:revision:api-keys`,
    /**
     * Pub/sub: revoked keys, the confirmations of those who received them, and each gateway's heartbeat
     * (services/gateway/keyring/revocation-feed.ts).
     */
    apiKeysWake: `${base}:api-keys-wake`,
    /** Sorted set by last seen, with a time to live: the ids of gateways. */
    gateways: `${base}:gateways`,
    /** Hash with a time to live: the digest of the key that a gateway has in its environment, by the gateway's id. */
    gatewayKeys: `${base}:gateways:keys`,
    /** Hash with a time to live: a live worker's registration. */
    worker: (id: string) => `${base}:worker:${id}`,
    /** Sorted set by last seen: the ids of workers. */
    workers: `${base}:workers`,
    /** String with a time to live: the job that a worker took last, and the token of that take. */
    workerTaken: (id: string) => `${base}:worker:${id}:taken`,
    /** List, bounded: commands for one worker (pull, remove, drain). */
    commands: (workerId: string) => `${base}:worker:${workerId}:commands`,
    /** Pub/sub: a hint to one worker that a command waits, or that one of its runs is to be cancelled. */
    workerWake: (workerId: string) => `${base}:worker-wake:${workerId}`,
    /** Stream with a time to live: the progress and outcome of an operation on images. */
    operation: (id: string) => `${base}:operation:${id}`,
    /** Hash by host, sealed: credentials of a tenant's registries. */
    registries: (tenant: string) => `${base}:tenant:${tenant}:registries`,
    /** Hash: a registered webhook endpoint, its secrets sealed. */
    webhook: (id: string) => `${base}:webhook:${id}`,
    /** Sorted set, all scores 0: the ids of a tenant's endpoints in order of time. */
    tenantWebhooks: (tenant: string) => `${base}:tenant:${tenant}:webhooks`,
    /** Set: the ids of the enabled endpoints of a tenant that want the events of a pattern (contracts/webhook.ts). */
    subscribers: (tenant: string, pattern: string) => `${base}:tenant:${tenant}:subscribers:${pattern}`,
    /** Sorted set by time: ids of runs and endpoints whose event has not been turned into deliveries yet. Bounded by create.lua. */
    outbox: `${base}:outbox`,
    /** Pub/sub: a hint that the outbox grew. With the id of a delivery: this delivery is to be tried now. */
    outboxWake: `${base}:outbox-wake`,
    /** Hash: an event's body as receivers get it, as long as one of its deliveries is kept. */
    event: (id: string) => `${base}:event:${id}`,
    /** Hash: one event on its way to one receiver. */
    delivery: (id: string) => `${base}:delivery:${id}`,
    /** List, bounded: the tries of a delivery. */
    attempts: (id: string) => `${base}:delivery:${id}:attempts`,
    /** Sorted sets, all scores 0: the ids of deliveries, by their tenant, by their endpoint and by the run that they tell about. */
    tenantDeliveries: (tenant: string) => `${base}:tenant:${tenant}:deliveries`,
    webhookDeliveries: (id: string) => `${base}:webhook:${id}:deliveries`,
    runDeliveries: (id: string) => `${run(id)}:deliveries`,
    /** Sorted set by the time of their next try: deliveries that have not ended. */
    pendingDeliveries: `${base}:deliveries:pending`,
    /** The same for one tenant, all scores 0: the tenant's quota counts these. */
    tenantPending: (tenant: string) => `${base}:tenant:${tenant}:deliveries:pending`,
    /** Sorted set by the time of their end: deliveries that can be forgotten. */
    endedDeliveries: `${base}:deliveries:ended`,
    /** String with a time to live: set while somebody watches this tenant's events. */
    listeners: (tenant: string) => `${base}:tenant:${tenant}:listeners`,
    /** Stream with a time to live, bounded: a tenant's events, for those who watch. */
    tenantEvents: (tenant: string) => `${base}:tenant:${tenant}:events`,
    /** Pub/sub: a hint that this stream grew. */
    eventsWake: (tenant: string) => `${base}:events-wake:${tenant}`,
    /** Sorted set by last seen: the ids of notifiers. */
    notifiers: `${base}:notifiers`,
    /** Hash: a service's record. Kept until it is removed. */
    service: (id: string) => `${base}:service:${id}`,
    /** String, for some seconds after it was told last: how far the pull of a service's image is. */
    servicePull: (id: string) => `${base}:service:${id}:pull`,
    /** Hash by run, bounded: the programs that run inside a service, and some that have ended. */
    serviceExecs: (id: string) => `${base}:service:${id}:execs`,
    /** Sorted set by the time of their making: the ids of all services. */
    services: `${base}:services`,
    /** Sorted set, all scores 0: the ids of a tenant's services in order of time. */
    tenantServices: (tenant: string) => `${base}:tenant:${tenant}:services`,
    /** Hash: a tenant's services by name. */
    serviceNames: (tenant: string) => `${base}:tenant:${tenant}:service-names`,
    /** Pub/sub: a hint that a service's record changed. */
    serviceWake: (id: string) => `${base}:service-wake:${id}`,
    /** Hash by name: a tenant's volumes, and the engine that has each. */
    volumes: (tenant: string) => `${base}:tenant:${tenant}:volumes`,
    /** Hash by outbox member: the bodies of service events that are in the outbox. */
    outboxBodies: `${base}:outbox:bodies`,
    /** String with a time to live: the worker that uses this block of user ids for its sandboxes. */
    userBlock: (block: number) => `${base}:user-block:${block}`,
    /** String: the name of this Runlet. Its containers carry the name, so that two Runlets can share an engine. */
    instance: `${base}:instance`,
    /** String with a time to live: the process that does the cleaning at present. */
    janitor: `${base}:janitor`,
  };
}

export type Keys = ReturnType<typeof keysFor>;

/** The queue of runs; a job carries the run's id and outline. */
export const runQueueName = 'runs';

/** The queue of webhook deliveries; a job carries only the delivery's id. */
export const deliveryQueueName = 'deliveries';
