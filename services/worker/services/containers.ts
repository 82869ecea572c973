import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultVolumeBytes, type ServiceRequest } from '../../../shared/contracts/service.ts';
import { familiarName } from '../../../shared/images.ts';
import { networkNamespace } from '../../../shared/network-namespace.ts';
import { Problem } from '../../../shared/problems.ts';
import type { ServicePlace, ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { ServiceStore } from '../../../shared/stores/services.ts';
import { engineVolumeName } from '../../../shared/stores/volumes.ts';
import type { ContainerState, LogLine } from '../engine/containers.ts';
import type { Engine } from '../engine/engine.ts';
import type { ImageInfo } from '../engine/images.ts';
import type { ImageProvider } from '../images/image-provider.ts';
import { filesContainer, serviceLabelsFor, serviceName } from '../labels.ts';
import type { ServiceNetworks } from '../network/service-networks.ts';
import type { InitVolume } from '../sandbox/drivers/engine/init-volume.ts';
import { checkVolumeFits } from './disk.ts';
import { bringFiles, filesVolume } from './files.ts';
import { mayBeNotExecuted, notExecuted } from './not-executed.ts';
import { isOnlyHere, type Publishing } from './publishing.ts';
import { serviceSpecFor } from './spec.ts';
import { removeStale } from './stale.ts';

export type ServiceContainers = ReturnType<typeof createServiceContainers>;

/** What `docker stop` gives. */
const stopGraceMs = 10_000;
/** A port that somebody else took between two looks: another is tried. */
const maxPortTries = 10;
const engineLookMs = 100;
const lastWordsLines = 3;
/** An engine may note a start so long after it. */
const startNotedMs = 5_000;
const lastWordsCharacters = 400;

/** The containers of services on this engine, one each. */
export function createServiceContainers(options: {
  engine: Engine;
  images: ImageProvider;
  networks: ServiceNetworks;
  store: ServiceStore;
  initVolume: InitVolume;
  seccompProfile: string;
  workerId: string;
  instance: string;
  publish: Publishing;
}) {
  const { engine, images, networks, store, publish } = options;
  const netns = networkNamespace();
  const nameOf = (id: string) => serviceName(id);

  const labelsOf = ({ head, generation }: ServiceRecord) =>
    serviceLabelsFor({
      service: head.id,
      tenant: head.tenant,
      generation,
      worker: options.workerId,
      instance: options.instance,
    });

  async function imageOf(record: ServiceRecord): Promise<ImageInfo> {
    const { request, tenant } = record.head;
    const reference = familiarName(request.image);
    const never = new AbortController();
    const { image } = await images.provide(reference, request.pull, tenant, {
      beforePull: async () => {},
      onProgress: () => {},
      signal: never.signal,
    });
    return image;
  }

  /**
   * What is called from elsewhere, each at a port of the machine that nobody has. `port` is for gateways, which ask for a key: nobody
   * but a gateway on another machine needs it there.
   */
  function bindings(request: ServiceRequest) {
    const forGateways = request.port === undefined || isOnlyHere(publish) ? [] : [request.port];
    const ports = [...new Set([...forGateways, ...request.tcpPorts])];
    const taken = new Set<number>();
    return ports.map((containerPort) => {
      let hostPort = randomInt(publish.from, publish.to + 1);
      while (taken.has(hostPort)) hostPort = randomInt(publish.from, publish.to + 1);
      taken.add(hostPort);
      return { containerPort, hostAddress: publish.bind, hostPort };
    });
  }

  async function make(record: ServiceRecord): Promise<{ id: string; digest: string | null }> {
    const { head } = record;
    const request = await store.request(head);
    if (request === undefined) throw new Problem('container_lost', 'The service was removed meanwhile.');
    const image = await imageOf(record);
    const owner = {
      service: head.id,
      tenant: head.tenant,
      worker: options.workerId,
      instance: options.instance,
    };
    const network = await networks.open(owner, request.network);
    const volumeNames = new Map<string, string>();
    for (const [index, { name, sizeBytes }] of request.volumes.entries()) {
      const onEngine = engineVolumeName(options.instance, head.tenant, name);
      const volumeLabels = { 'dev.runlet.tenant': head.tenant, 'dev.runlet.volume': name };
      const quota = await engine.volumes.create(onEngine, volumeLabels, sizeBytes ?? defaultVolumeBytes);
      checkVolumeFits(index, name, sizeBytes, quota);
      volumeNames.set(name, onEngine);
    }
    const labels = labelsOf(record);
    const withFiles = await bringFiles({
      engine,
      initVolume: options.initVolume,
      record,
      request,
      image,
      labels,
      seccompProfile: options.seccompProfile,
    });
    const spec = serviceSpecFor({
      head,
      request: { ...request, volumes: [...withFiles, ...request.volumes] },
      image,
      identity: { name: nameOf(head.id), labels },
      publish: bindings(request),
      network,
      volumeNames,
      init: options.initVolume.init,
      seccompProfile: options.seccompProfile,
    });
    await removeStale(engine, spec.name, labels);
    return { id: await engine.containers.create(spec), digest: image.digest };
  }

  const lacksInit = (error: unknown) =>
    error instanceof Problem &&
    error.code === 'command_not_found' &&
    error.message.includes(`"${options.initVolume.init.path}"`);

  return {
    inspect: (id: string): Promise<ContainerState | null> => engine.containers.inspect(nameOf(id)),

    /** Starts the container that is there, or a new one. */
    async start(record: ServiceRecord, container: ContainerState | null): Promise<{ digest: string | null }> {
      let broughtAnew = false;
      for (let attempt = 1; ; attempt += 1) {
        const made =
          container === null ? await make(record) : { id: container.id, digest: record.state.digest };
        try {
          await engine.containers.start(made.id);
          return { digest: made.digest };
        } catch (error) {
          // Somebody pruned the engine's volumes: it made an empty one for the container, without an init.
          if (container === null && !broughtAnew && lacksInit(error)) {
            broughtAnew = true;
            await engine.containers.remove(made.id);
            await options.initVolume.provide();
            continue;
          }
          const taken = error instanceof Problem && error.code === 'conflict' && attempt < maxPortTries;
          if (!taken) throw error;
          // What it wrote is lost with it only if it has never run: one that ran keeps its ports, and waits for them.
          if (container !== null && container.startedAt !== null) throw error;
          await engine.containers.remove(made.id);
          container = null;
        }
      }
    },

    stop: (container: string) => engine.containers.stop(container, stopGraceMs),
    kill: (container: string) => engine.containers.kill(container, 'SIGKILL'),

    /** Why its init could not execute the program; `undefined` of every other end. */
    async notExecuted({ id, exitCode, startedAt }: ContainerState): Promise<Problem | undefined> {
      if (!mayBeNotExecuted(exitCode)) return undefined;
      let last: LogLine | undefined;
      for await (const line of await engine.containers.logs(id, { tail: 1, follow: false }))
        last = line as LogLine;
      // Not one that was started earlier. (Docker 20 notes the start when the program may have written already.)
      const isOfThisStart =
        last !== undefined && Date.parse(last.at) >= Date.parse(startedAt ?? '') - startNotedMs;
      return last !== undefined && isOfThisStart ? notExecuted(last.data.toString('utf8')) : undefined;
    },

    /** Resolves when it ends. */
    async ended(container: string): Promise<void> {
      await engine.containers.exit(container);
    },

    /** Rejects when the engine goes away within this time. */
    async watchEngine(ms: number): Promise<void> {
      for (const until = Date.now() + ms; Date.now() < until; await sleep(engineLookMs)) await engine.ping();
      await engine.ping();
    },

    /** The container, its network, and the volume of its files; named volumes stay. */
    async remove(record: ServiceRecord): Promise<void> {
      const { id } = record.head;
      const container = await engine.containers.inspect(nameOf(id));
      if (container?.running === true) await engine.containers.stop(container.id, stopGraceMs);
      await engine.containers.remove(nameOf(id));
      await engine.containers.remove(filesContainer(id));
      await networks.close(id);
      await engine.volumes.remove(filesVolume(id));
    },

    /** The container with all that was written in it; its network and its named volumes stay. */
    async discard(id: string): Promise<void> {
      await engine.containers.remove(nameOf(id));
      await engine.volumes.remove(filesVolume(id));
    },

    placeOf(container: ContainerState): ServicePlace {
      return {
        netns,
        address: container.networks[0]?.address ?? '',
        host: publish.host,
        ports: Object.fromEntries(
          container.ports.map(({ containerPort, hostPort }) => [containerPort, hostPort]),
        ),
      };
    },

    /** The end of its log, for people: why it does not come up is mostly said there. */
    async lastWords(container: string): Promise<string> {
      try {
        const lines: string[] = [];
        const log = await engine.containers.logs(container, { tail: lastWordsLines, follow: false });
        for await (const line of log) lines.push((line as LogLine).data.toString('utf8').trim());
        // Of any language; but nothing that moves a cursor, or turns the direction of what follows.
        const characters = [...lines.join(' · ').replace(/\p{C}/gu, ' ')];
        const text = characters.slice(-lastWordsCharacters).join('').trim();
        return text === '' ? ' It wrote nothing.' : ` Its last words: ${text}`;
      } catch {
        return '';
      }
    },
  };
}
