import { setTimeout as sleep } from 'node:timers/promises';
import { networkNamespace } from '../../../shared/network-namespace.ts';
import { Problem } from '../../../shared/problems.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { ContainerState } from '../engine/containers.ts';
import { filesContainer, serviceName } from '../labels.ts';
import { filesVolume } from './files.ts';
import { lastWords, whyNotExecuted } from './last-words.ts';
import { type ContainerParts, makeContainer } from './make-container.ts';
import { placeOf } from './publishing.ts';

export type ServiceContainers = ReturnType<typeof createServiceContainers>;

/** As `docker stop` does. */
const stopGraceMs = 10_000;
/** A port that somebody else took since it was chosen: another is tried. */
const maxPortTries = 10;
const engineLookMs = 100;

/** The containers of services on this engine, one each. */
export function createServiceContainers(parts: ContainerParts) {
  const { engine, networks, initVolume, publish } = parts;
  const { containers, volumes } = engine;
  const netns = networkNamespace();

  const lacksInit = (error: unknown) =>
    error instanceof Problem &&
    error.code === 'command_not_found' &&
    error.message.includes(`"${initVolume.init.path}"`);

  return {
    inspect: (id: string): Promise<ContainerState | null> => containers.inspect(serviceName(id)),

    /** Starts the container that is there, or a new one. */
    async start(record: ServiceRecord, container: ContainerState | null): Promise<{ digest: string | null }> {
      let initProvided = false;
      for (let attempt = 1; ; attempt += 1) {
        const made =
          container === null
            ? await makeContainer(parts, record)
            : { id: container.id, digest: record.state.digest };
        try {
          await containers.start(made.id);
          return { digest: made.digest };
        } catch (error) {
          // Somebody pruned the engine's volumes: it made an empty one for the container, without an init.
          if (container === null && !initProvided && lacksInit(error)) {
            initProvided = true;
            await containers.remove(made.id);
            await initVolume.provide();
            continue;
          }
          const taken = error instanceof Problem && error.code === 'conflict' && attempt < maxPortTries;
          if (!taken) throw error;
          // One that ran keeps its ports, and waits for them: with it would go what it wrote.
          if (container !== null && container.startedAt !== null) throw error;
          await containers.remove(made.id);
          container = null;
        }
      }
    },

    stop: (container: string) => containers.stop(container, stopGraceMs),
    kill: (container: string) => containers.kill(container, 'SIGKILL'),

    /** Resolves when it ends. */
    async ended(container: string): Promise<void> {
      await containers.exit(container);
    },

    /** Rejects when the engine goes away within this time. */
    async watchEngine(ms: number): Promise<void> {
      for (const until = Date.now() + ms; Date.now() < until; await sleep(engineLookMs)) await engine.ping();
      await engine.ping();
    },

    /** The container, its network, and the volume of its files; named volumes stay. */
    async remove(record: ServiceRecord): Promise<void> {
      const { id } = record.head;
      const container = await containers.inspect(serviceName(id));
      if (container?.running === true) await containers.stop(container.id, stopGraceMs);
      await containers.remove(serviceName(id));
      await containers.remove(filesContainer(id));
      await networks.close(id);
      await volumes.remove(filesVolume(id));
    },

    /** The container with all that was written in it; its network and its named volumes stay. */
    async discard(id: string): Promise<void> {
      await containers.remove(serviceName(id));
      await volumes.remove(filesVolume(id));
    },

    placeOf: (container: ContainerState) => placeOf(container, { netns, host: publish.host }),
    lastWords: (container: string) => lastWords(containers, container),
    notExecuted: (container: ContainerState) => whyNotExecuted(containers, container),
  };
}
