import type { Log } from '../../../../shared/log.ts';
import type { ContainerId, ContainerSpec } from '../containers.ts';
import type { Engine } from '../engine.ts';
import { networkSysctls } from '../kernel-settings.ts';
import { readArchive } from './archive.ts';
import { attach } from './attach.ts';
import { createClient } from './client.ts';
import {
  killContainer,
  listContainers,
  removeContainer,
  renameContainer,
  stopContainer,
  updateContainer,
} from './containers.ts';
import { createContainer } from './create.ts';
import { execDetached, execInContainer, inspectExec } from './exec.ts';
import type { DockerHostOptions } from './host.ts';
import { imageLayers, inspectImage, listImages, removeImage } from './images.ts';
import { ping, readInfo } from './info.ts';
import { containerPid, containerSize, diskPlaces, inspectContainer } from './inspect.ts';
import { containerLogs } from './logs.ts';
import { createNetwork, inspectNetwork, listNetworks, removeNetwork } from './networks.ts';
import { pullImage } from './pull.ts';
import { saysNoQuotas } from './quota-options.ts';
import { createQuotas } from './quotas.ts';
import { socketLimit } from './socket-limit.ts';
import { startContainer } from './start.ts';
import { createVolume, listVolumes, provideVolume, removeVolume } from './volumes.ts';
import { waitForExit } from './wait.ts';

/**
 * The Engine over Docker's REST API. Connects at the first call. Throws an Error when the address is of no known
 * kind or its TLS files cannot be read.
 *
 * @param log gets what the engine says when it refuses something; Problems say it in our own words
 */
export function createDockerEngine(
  options: DockerHostOptions = {},
  log?: Pick<Log, 'debug' | 'warn'>,
): Engine {
  const client = createClient(options, (asked, said, status) => {
    // That something is not there, or is there already, is usually expected; quotas are tried.
    const level = status === 404 || status === 409 || saysNoQuotas(said) ? 'debug' : 'warn';
    log?.[level]({ asked, said, status }, 'the engine refused');
  });
  const sockets = socketLimit(client.local, (id) => containerPid(client, id));
  const quotas = createQuotas(client);
  let known: Promise<string> | undefined;
  /** Of the Engine's machine: asked once. */
  const kernel = () => {
    known ??= readInfo(client).then((info) => info.kernel);
    known.catch(() => {
      known = undefined;
    });
    return known;
  };
  const create = async (spec: ContainerSpec, signal?: AbortSignal): Promise<ContainerId> =>
    createContainer(client, spec, networkSysctls(await kernel()), signal);
  return {
    local: client.local,
    ping: (signal) => ping(client, signal),
    info: (signal) => readInfo(client, signal),
    diskQuotas: ({ again } = { again: false }) => (again ? quotas.again() : quotas.tried()),
    images: {
      inspect: (reference, signal) => inspectImage(client, reference, signal),
      layers: (reference, signal) => imageLayers(client, reference, signal),
      pull: (reference, how = {}) => pullImage(client, reference, how),
      list: (signal) => listImages(client, signal),
      remove: (reference, signal) => removeImage(client, reference, signal),
    },
    containers: {
      create: async (spec, signal) => {
        if (spec.rootBytes === null) return create(spec, signal);
        return quotas.held('roots', spec.rootBytes, (rootBytes) => create({ ...spec, rootBytes }, signal));
      },
      attach: (id, how) => attach(client, id, how),
      exit: (id, signal) => waitForExit(client, id, signal),
      start: async (id, signal) => {
        await startContainer(client, id, signal);
        await sockets.set(id);
      },
      kill: (id, name, signal) => killContainer(client, id, name, signal),
      stop: (id, graceMs, signal) => stopContainer(client, id, graceMs, signal),
      exec: (id, spec, signal) => execInContainer(client, id, spec, signal),
      execDetached: (id, spec, signal) => execDetached(client, id, spec, signal),
      inspectExec: (id, signal) => inspectExec(client, id, signal),
      logs: (id, how) => containerLogs(client, id, how),
      inspect: (idOrName, signal) => inspectContainer(client, idOrName, signal),
      remove: (idOrName, signal) => removeContainer(client, idOrName, signal),
      list: (labels, signal) => listContainers(client, labels, signal),
      size: (id, signal) => containerSize(client, id, signal),
      diskPlaces: (id, signal) => diskPlaces(client, id, signal),
      readArchive: (id, path, signal) => readArchive(client, id, path, signal),
      update: async (id, limits, signal) => {
        await Promise.all([updateContainer(client, id, limits, signal), sockets.set(id, limits.memoryBytes)]);
      },
      rename: (id, name, signal) => renameContainer(client, id, name, signal),
    },
    volumes: {
      provide: (spec, signal) => provideVolume(client, spec, signal),
      create: (name, labels, maxBytes, signal) =>
        quotas.held('volumes', maxBytes, (bytes) => createVolume(client, name, labels, bytes, signal)),
      remove: (name, signal) => removeVolume(client, name, signal),
      list: (labels, signal) => listVolumes(client, labels, signal),
    },
    networks: {
      create: (spec, signal) => createNetwork(client, spec, signal),
      inspect: (idOrName, signal) => inspectNetwork(client, idOrName, signal),
      remove: (idOrName, signal) => removeNetwork(client, idOrName, signal),
      list: (labels, signal) => listNetworks(client, labels, signal),
    },
    close: () => client.close(),
  };
}
