import { statfs } from 'node:fs/promises';
import type { HostFacts } from '../../../shared/contracts/host-facts.ts';
import type { Worker } from '../../../shared/contracts/worker.ts';
import type { Log } from '../../../shared/log.ts';
import { heartbeatMs, type WorkerStore } from '../../../shared/stores/workers.ts';
import type { DiskQuotas, Engine, EngineInfo } from '../engine/engine.ts';
import type { ImageSummary } from '../engine/images.ts';
import type { Ledger } from './ledger.ts';

/** The list of images is read anew so often, and after each pull; facts of the machine too. */
const imagesEveryMs = 30_000;

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
  /** What all runs have; `null`: none has another's. */
  runUser: string | null;
  /** `null`: the engine is on another machine. */
  host: () => Promise<HostFacts | null>;
  /** Those of its sandboxes. */
  isolations: () => Worker['isolations'];
  disksSeen: boolean;
  /** Whom its pulls may lead to beside public addresses, with an engine that is set up so. */
  registries: (engine: EngineInfo) => string[];
  warm: () => Worker['warm'];
  draining: () => boolean;
  /** It was away, and answers again: it may be another one, with other runtimes. */
  onEngineBack: () => void;
  log: Log;
}) {
  const { engine, workers, log } = options;
  const startedAt = new Date().toISOString();
  let info: EngineInfo | undefined;
  let quotas: DiskQuotas | undefined;
  let engineAnswers = false;
  let images: ImageSummary[] = [];
  let host: HostFacts | null | undefined;
  let imagesReadAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void> = Promise.resolve();

  async function lookAtEngine(): Promise<void> {
    try {
      const isBack = info !== undefined && !engineAnswers;
      if (info === undefined || !engineAnswers) {
        info = await engine.info();
        quotas = await engine.diskQuotas({ again: isBack });
      } else await engine.ping();
      if (isBack) options.onEngineBack();
      if (!engineAnswers) log.info({ engine: info.version }, 'engine answers');
      engineAnswers = true;
    } catch (error) {
      if (engineAnswers) log.error({ reason: (error as Error).message }, 'engine does not answer');
      engineAnswers = false;
      return;
    }
    if (Date.now() - imagesReadAt < imagesEveryMs) return;
    imagesReadAt = Date.now();
    images = await engine.images.list().catch(() => images);
    const seen = lookAtHost().catch((error: Error) =>
      log.warn({ reason: error.message }, 'the machine cannot be looked at'),
    );
    // Later no heartbeat waits for it: other tools may hold the lock of the firewall's rules.
    if (host === undefined) await seen;
  }

  async function lookAtHost(): Promise<void> {
    const now = await options.host();
    const lacks = (facts: HostFacts | null | undefined) =>
      facts?.firewall && (facts.firewall.connections === null || !facts.firewall.localUsersKeptOut);
    if (lacks(now) && !lacks(host))
      log.warn(
        { firewall: now?.firewall },
        'the firewall does not hold all that it should: see `runlet doctor`',
      );
    host = now;
  }

  async function beat(): Promise<void> {
    await lookAtEngine();
    if (info === undefined) return;
    const disk = await statfs(options.dataDir).catch(() => undefined);
    const worker: Worker = {
      id: options.id,
      name: options.name,
      status: !engineAnswers ? 'engine_unavailable' : options.draining() ? 'draining' : 'ready',
      version: options.version,
      engine: {
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
      },
      isolations: options.isolations(),
      egress: options.egress,
      capacity: options.ledger.capacity,
      inUse: options.ledger.inUse(),
      runUser: options.runUser,
      warm: options.warm(),
      disk: disk ? { totalBytes: disk.blocks * disk.bsize, freeBytes: disk.bavail * disk.bsize } : null,
      host: host ?? null,
      disksSeen: options.disksSeen,
      diskQuotas: quotas,
      startedAt,
      lastSeenAt: new Date().toISOString(),
    };
    await workers.beat(worker, images, options.registries(info));
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
      imagesReadAt = 0;
      void beatOnce();
    },
    engineAnswers: () => engineAnswers,
    info: (): EngineInfo => {
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
