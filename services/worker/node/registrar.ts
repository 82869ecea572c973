import { statfs } from 'node:fs/promises';
import type { HostFacts } from '../../../shared/contracts/host-facts.ts';
import type { Worker } from '../../../shared/contracts/worker.ts';
import type { Log } from '../../../shared/log.ts';
import { heartbeatMs, type WorkerStore } from '../../../shared/stores/workers.ts';
import type { Engine, EngineInfo } from '../engine/engine.ts';
import { createEngineWatch } from './engine-watch.ts';
import type { Ledger } from './ledger.ts';

/** Says every two seconds that this worker lives, what it has and what of it is in use. */
export function createRegistrar(options: {
  id: string;
  name: string;
  version: string;
  engine: Engine;
  /** Where the data folder is: its disk is the one reported. */
  dataDir: string;
  workers: WorkerStore;
  ledger: Ledger;
  egress: boolean;
  /** The user that all runs have; `null`: each has its own. */
  runUser: string | null;
  /** `null`: the engine is on another machine. */
  host: () => Promise<HostFacts | null>;
  drivers: () => Worker['drivers'];
  /** Those of its sandboxes. */
  isolations: () => Worker['isolations'];
  disksSeen: boolean;
  /** The registries that it may pull from beside public ones, with an engine that is set up so. */
  registries: (engine: EngineInfo) => string[];
  warm: () => Worker['warm'];
  draining: () => boolean;
  /** The engine was away, and answers again: it may be another one, with other runtimes. */
  onEngineBack: () => void;
  log: Log;
}) {
  const { workers, log } = options;
  const startedAt = new Date().toISOString();
  const watch = createEngineWatch({ engine: options.engine, onBack: options.onEngineBack, log });
  let host: HostFacts | null | undefined;
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void> = Promise.resolve();

  async function lookAtHost(): Promise<void> {
    const now = await options.host().catch((error: Error) => {
      log.warn({ reason: error.message }, 'the machine cannot be looked at');
      return undefined;
    });
    if (now === undefined) return;
    if (lacksRules(now) && !lacksRules(host))
      log.warn(
        { firewall: now?.firewall },
        'the firewall does not hold all that it should: see `runlet doctor`',
      );
    host = now;
  }

  async function beat(): Promise<void> {
    const { imagesRead } = await watch.look();
    if (imagesRead) {
      const seen = lookAtHost();
      // Later no heartbeat waits for it: other tools may hold the lock of the firewall's rules.
      if (host === undefined) await seen;
    }
    const info = watch.info();
    if (info === undefined) return;
    const disk = await statfs(options.dataDir).catch(() => undefined);
    const worker: Worker = {
      id: options.id,
      name: options.name,
      status: !watch.answers() ? 'engine_unavailable' : options.draining() ? 'draining' : 'ready',
      version: options.version,
      engine: engineFacts(info),
      drivers: options.drivers(),
      isolations: options.isolations(),
      egress: options.egress,
      capacity: options.ledger.capacity,
      inUse: options.ledger.inUse(),
      runUser: options.runUser,
      warm: options.warm(),
      disk: disk ? { totalBytes: disk.blocks * disk.bsize, freeBytes: disk.bavail * disk.bsize } : null,
      host: host ?? null,
      disksSeen: options.disksSeen,
      diskQuotas: watch.quotas(),
      startedAt,
      lastSeenAt: new Date().toISOString(),
    };
    await workers.beat(worker, watch.images(), options.registries(info));
  }

  const beatOnce = () => {
    beating = beating
      .then(beat)
      .catch((error: Error) => log.warn({ reason: error.message }, 'heartbeat could not be sent'));
    return beating;
  };

  return {
    /** Resolves after the first heartbeat. */
    async start(): Promise<void> {
      await beatOnce();
      timer = setInterval(beatOnce, heartbeatMs);
    },
    beatOnce,
    imagesChanged(): void {
      watch.imagesChanged();
      void beatOnce();
    },
    engineAnswers: watch.answers,
    info: (): EngineInfo => {
      const info = watch.info();
      if (info === undefined) throw new Error('the engine has not answered yet');
      return info;
    },
    async leave(): Promise<void> {
      clearInterval(timer);
      await beating;
      await workers.leave(options.id);
    },
  };
}

/** What of an engine is shown. */
const engineFacts = (info: EngineInfo): Worker['engine'] => ({
  id: info.id,
  name: info.name,
  version: info.version,
  apiVersion: info.apiVersion,
  runcVersion: info.runcVersion,
  storageDriver: info.storageDriver,
  cgroupVersion: info.cgroupVersion,
  os: info.os,
  architecture: info.architecture,
  kernel: info.kernel,
  userNamespace: info.userNamespace,
});

/** The firewall is up, and without some of its rules. */
const lacksRules = (facts: HostFacts | null | undefined): boolean => {
  const firewall = facts?.firewall;
  return firewall != null && (firewall.connections === null || !firewall.localUsersKeptOut);
};
