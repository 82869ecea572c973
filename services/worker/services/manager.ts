import type { Service } from '../../../shared/contracts/service.ts';
import type { Log } from '../../../shared/log.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { ServiceStore } from '../../../shared/stores/services.ts';
import type { WorkerStore } from '../../../shared/stores/workers.ts';
import type { DiskWatch } from '../disk/watch.ts';
import type { ServiceNetworks } from '../network/service-networks.ts';
import type { Ledger } from '../node/ledger.ts';
import type { ServiceContainers } from './containers.ts';
import { decideKeeping } from './decide.ts';
import { createServiceKeeper, type ServiceKeeper } from './keeper.ts';

/** How often all records are read; a command tells of a change at once. */
const scanMs = 2_000;
/** Another tool may have flushed the firewall: its rules are put back this often. */
const guardMs = 60_000;

export type ServiceManager = ReturnType<typeof createServiceManager>;

/** This worker's services: each has a keeper. Services of a dead worker on the same engine are adopted as they are. */
export function createServiceManager(options: {
  workerId: string;
  /** The engine's own id: a worker that is started anew finds its services by it. */
  engineId: string;
  store: ServiceStore;
  workers: WorkerStore;
  containers: ServiceContainers;
  networks: Pick<ServiceNetworks, 'unavailable'>;
  disk: Pick<DiskWatch, 'watch'>;
  ledger: Ledger;
  onKept: (id: string) => void;
  present: (record: ServiceRecord) => Promise<Service>;
  log: Log;
}) {
  const { workerId, engineId, store, workers, log } = options;
  const keepers = new Map<string, ServiceKeeper>();
  let timer: NodeJS.Timeout | undefined;
  let guard: NodeJS.Timeout | undefined;
  let scanning: Promise<void> | undefined;
  let stopped = false;

  function keep(record: ServiceRecord): void {
    const { id } = record.head;
    if (stopped || keepers.has(id)) return;
    keepers.set(id, createServiceKeeper({ ...options, record, onEnd: () => keepers.delete(id) }));
    options.onKept(id);
  }

  async function adopt(record: ServiceRecord): Promise<void> {
    if (record.worker === null || (await workers.alive(record.worker))) return;
    if (!(await store.assign(record, workerId, engineId))) return;
    log.info({ service: record.head.id, from: record.worker }, 'service adopted');
    const mine = await store.read(record.head.id);
    if (mine !== undefined) keep(mine);
  }

  async function scan(): Promise<void> {
    for (const id of await store.all()) {
      if (stopped) return;
      if (keepers.has(id)) continue;
      await look(id).catch((error: Error) => {
        // A record that cannot be read must not stop the others from being kept.
        log.warn({ service: id, reason: error.message }, 'a service could not be looked at');
      });
    }
  }

  async function look(id: string): Promise<void> {
    const record = await store.read(id);
    if (record === undefined) return;
    const whose = decideKeeping(record, { workerId, engineId });
    if (whose === 'keep') keep(record);
    if (whose === 'adopt-if-dead') await adopt(record);
  }

  async function ensureFirewall(): Promise<void> {
    if (keepers.size === 0) return;
    const reason = await options.networks.unavailable();
    if (reason !== null) log.error({ reason }, 'the networks of services are not guarded');
  }

  const scanOnce = () => {
    scanning ??= scan()
      .catch((error: Error) => log.warn({ reason: error.message }, 'services could not be looked for'))
      .finally(() => {
        scanning = undefined;
      });
    return scanning;
  };

  return {
    start(): void {
      void scanOnce();
      timer = setInterval(scanOnce, scanMs);
      guard = setInterval(ensureFirewall, guardMs);
    },

    /** Something else is wanted of it now. */
    async poke(id: string): Promise<void> {
      const keeper = keepers.get(id);
      if (keeper !== undefined) return keeper.wake();
      const record = await store.read(id);
      if (record?.worker === workerId) keep(record);
    },

    /** What this engine has of it belongs to nobody: the service is gone, or on another engine by now. */
    async isOrphan(id: string): Promise<boolean> {
      if (keepers.has(id)) return false;
      const record = await store.read(id);
      return record === undefined || record.engine !== engineId;
    },

    /** Leaves them running: the next worker of this engine adopts them. */
    async stop(): Promise<void> {
      stopped = true;
      clearInterval(timer);
      clearInterval(guard);
      await scanning;
      await Promise.all([...keepers.values()].map((keeper) => keeper.leave()));
    },
  };
}
