import { rename, writeFile } from 'node:fs/promises';
import type { Log } from '../../../../../shared/log.ts';
import { Problem } from '../../../../../shared/problems.ts';
import { sandboxName } from '../../../labels.ts';
import type { OwnNetworks } from '../../../network/own-networks.ts';
import type { Leftover, OwnSandbox, SandboxDriver } from '../../driver.ts';
import type { SandboxLimits, SandboxSpec } from '../../spec.ts';
import { type BoxParts, cgroupLimits, newFile, startedBy } from './box.ts';
import { launchProblem, limitsProblem } from './failures.ts';
import type { ImageRoot, ImageRoots } from './image-roots.ts';
import { LaunchFailed } from './launcher.ts';
import { nameOf, ownedIn, ownerText } from './owners.ts';
import { removeBox, type Started, type Starter, startBox } from './start.ts';

/** What is open on this machine for the driver; see open-oci.ts. */
export type OciParts = {
  starter: Starter;
  roots: ImageRoots;
  networks: OwnNetworks;
  /** Why sandboxes of this kind are not for this driver; `null`: they are. */
  refuses: SandboxDriver['refuses'];
  holds: SandboxDriver['holds'];
  workersLeft(instance: string): Promise<Leftover[]>;
  close(): Promise<void>;
  log: Log;
};

/** Makes sandboxes by an OCI runtime on the worker's own machine, without the engine. */
export function createOciDriver(parts: OciParts): SandboxDriver {
  const { starter, roots, networks, log } = parts;
  const { launcher } = starter;
  const { places } = starter.machine;
  /** Removals that nobody waits for. */
  const removals = new Set<Promise<void>>();

  function sandboxOf(spec: SandboxSpec, root: ImageRoot, { pid, session }: Started): OwnSandbox {
    const name = nameOf(spec.owner);
    const at = places.sandbox(name);
    const cgroup = startedBy(spec, starter.machine).cgroups.of(name);
    let limits: SandboxLimits = spec.limits;
    let removal: Promise<void> | undefined;
    const oomKills = () =>
      cgroup.oomKills().catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        throw new Problem(
          'container_lost',
          'The sandbox was removed by somebody else while it ran: run it again.',
        );
      });
    const remove = async () => {
      session.close();
      await spec.lease.end(() => removeBox(starter, name));
      root.release();
      await closeNetwork(spec);
    };
    return {
      session,
      id: name,
      userName: spec.userName,
      limits: spec.limits,
      async update(to) {
        const from = limits;
        limits = to;
        await launcher
          .carryOut(cgroup.update(cgroupLimits(spec, from), cgroupLimits(spec, to)))
          .catch((error) => {
            limits = from;
            throw limitsProblem(error);
          });
      },
      async claim(owner) {
        const file = spec.writable ? at.onDisk.ownerFile : at.ownerFile;
        if (removal !== undefined) return;
        await writeFile(newFile(file), ownerText(spec, sandboxName(owner)), { mode: 0o600 });
        await rename(newFile(file), file);
      },
      disk: {
        id: name,
        places: async () => ({
          pid,
          root: spec.writable ? `${at.onDisk.folder}/upper` : `${at.box}/upper`,
          rootQuota: null,
          files: [],
          volumes: [],
        }),
        // This worker is root on the machine where the files are, so nobody asks.
        size: async () => null,
      },
      async kill() {
        session.close();
        // After the launcher's end another one has its containers only by their cgroups.
        if (launcher.knows(name)) launcher.kill(name);
        else await launcher.carryOut([cgroup.end]);
      },
      lostBy: async () => ((await oomKills()) > 0 ? 'memory' : 'unknown'),
      ranOutOfMemory: async () => (await oomKills()) > 0,
      remove() {
        removal ??= remove().catch((error) => {
          removal = undefined;
          throw error;
        });
        return removal;
      },
    };
  }

  async function openNetwork(spec: SandboxSpec, signal?: AbortSignal): Promise<BoxParts['network']> {
    if (spec.network === 'none') return null;
    if (spec.owner.of !== 'run') throw new Error('a network is made for a run');
    const { namespace, dns } = await networks.open(spec.owner.owner, signal);
    // It is a mount of this process's: the launcher sees it by this process's own view of the files.
    return { namespace: `/proc/${process.pid}/root${namespace}`, dns };
  }

  async function closeNetwork({ network, owner }: SandboxSpec): Promise<void> {
    if (network === 'egress' && owner.of === 'run') await networks.close(owner.owner);
  }

  function removeUnawaited(spec: SandboxSpec): void {
    const removal = spec.lease
      .end(() => removeBox(starter, nameOf(spec.owner)))
      .then(() => closeNetwork(spec))
      .catch((error: Error) => log.warn({ reason: error.message }, 'not removed'))
      .finally(() => removals.delete(removal));
    removals.add(removal);
  }

  return {
    name: 'oci',
    // Measured on two cores: with more at a time none is ready sooner. The memory is the kernel's, for namespaces and mounts, and the init's.
    pace: { making: 4, removing: 4, idleBytes: 2 * 1024 * 1024 },
    isolations: () => (starter.machine.gvisor === null ? ['container'] : ['container', 'gvisor']),
    refuses: parts.refuses,

    async make(spec, signal) {
      let root: ImageRoot | undefined;
      try {
        signal?.throwIfAborted();
        const network = await openNetwork(spec, signal);
        root = await roots.use(spec.image);
        return sandboxOf(spec, root, await startBox(starter, spec, { image: root, network }));
      } catch (error) {
        root?.release();
        removeUnawaited(spec);
        if (error instanceof LaunchFailed)
          log.warn({ stage: error.stage, said: error.message }, 'a sandbox could not be started');
        throw launchProblem(error);
      }
    },

    async left(instance) {
      const [inState, onDisk, workers, ofNetworks] = await Promise.all([
        ownedIn(places.owners),
        ownedIn(places.disk),
        parts.workersLeft(instance),
        networks.left(instance),
      ]);
      const sandboxes = [...inState, ...onDisk].map(
        ({ name, owner, shownAs }): Leftover => ({
          id: name,
          name: shownAs,
          owner,
          remove: () => removeBox(starter, name),
        }),
      );
      return [
        ...sandboxes.filter(({ owner }) => owner.owner.instance === instance),
        ...ofNetworks.map(
          ({ id, owner, ...one }): Leftover => ({ ...one, id: `network ${id}`, owner: { of: 'run', owner } }),
        ),
        ...workers,
      ];
    },

    holds: parts.holds,
    letGo: roots.drop,

    async close() {
      await Promise.all(removals);
      await parts.close();
    },
  };
}
