import type { Log } from '../../../../../shared/log.ts';
import { Problem, type ProblemCode } from '../../../../../shared/problems.ts';
import type { FileMount } from '../../../engine/containers.ts';
import type { Engine, EngineInfo } from '../../../engine/engine.ts';
import { labelNames, ownerFrom, type SandboxOwner } from '../../../labels.ts';
import type { Egress } from '../../../network/egress.ts';
import type { SandboxNetwork } from '../../../network/network.ts';
import type { Leftover, SandboxDriver } from '../../driver.ts';
import type { SandboxSpec } from '../../spec.ts';
import { createAccountFiles } from './account-files.ts';
import { mountsOf } from './account-mounts.ts';
import { type ContainerSandbox, createContainerSandbox } from './container-sandbox.ts';
import { containerSpecFor, gvisorRuntime, identityOf } from './container-spec.ts';
import type { InitVolume } from './init-volume.ts';

/** Makes sandboxes that are containers of the engine. */
export function createEngineDriver(options: {
  engine: Engine;
  info: () => Pick<EngineInfo, 'runtimes'>;
  initVolume: InitVolume;
  egress: Pick<Egress, 'open' | 'close'>;
  log: Log;
}): SandboxDriver {
  const { engine, initVolume, egress, log } = options;
  const accountFiles = createAccountFiles(engine, log);
  /** Removals that nobody waits for. */
  const removals = new Set<Promise<void>>();

  const hasGvisor = () => gvisorRuntime in options.info().runtimes;

  /** If this fails, the sandbox is still made, but its user has no name. */
  const filesFor = (spec: SandboxSpec, anew: boolean): Promise<FileMount[]> =>
    mountsOf(spec, accountFiles.provide, anew).catch((error: Error) => {
      if (error instanceof Problem && error.code !== 'internal') throw error;
      log.warn({ image: spec.image, reason: error.message }, 'an image’s runs have no name');
      return [];
    });

  /**
   * Someone may have pruned the engine's volumes. Then the init and the files with the user's name are put there again,
   * once.
   */
  async function makeStarted(
    spec: SandboxSpec,
    network: SandboxNetwork | undefined,
  ): Promise<ContainerSandbox> {
    let missing = false;
    const attempt = async (anew: boolean) => {
      const files = await filesFor(spec, anew);
      const note = (code: ProblemCode) => (error: unknown) => {
        const isFile = files.some(({ source }) => String((error as Error).cause).includes(source));
        missing = error instanceof Problem && (error.code === code || isFile);
        throw error;
      };
      // If a file is missing, the engine refuses the create. If a volume is missing, the engine makes it, but empty:
      // then there is no init.
      const container = containerSpecFor(spec, initVolume.init, network, files);
      const sandbox = await createContainerSandbox(engine, container).catch(note('start_failed'));
      try {
        await sandbox.start().catch(note('command_not_found'));
        return sandbox;
      } catch (error) {
        await sandbox.remove().catch(() => {});
        throw error;
      }
    };
    return await attempt(false).catch(async (error) => {
      if (!missing) throw error;
      log.warn(
        { volume: initVolume.init.volume.name },
        'the sandbox init is missing on the engine; bringing it anew',
      );
      await initVolume.provide();
      return attempt(true);
    });
  }

  function removeUnawaited(spec: SandboxSpec): void {
    const removal = spec.lease
      .end(() => engine.containers.remove(identityOf(spec.owner).name))
      .catch(() => {})
      .finally(() => removals.delete(removal));
    removals.add(removal);
  }

  return {
    name: 'engine',
    // Measured: with more at a time the engine does not get faster. Most of the memory is that of a containerd-shim.
    pace: { making: 2, removing: 4, idleBytes: 12 * 1024 * 1024 },

    isolations: () => (hasGvisor() ? ['container', 'gvisor'] : ['container']),

    refuses: ({ isolation }) =>
      isolation !== 'gvisor' || hasGvisor()
        ? null
        : new Problem(
            'isolation_unavailable',
            'This worker’s engine has no runsc runtime: use isolation "container", or have gVisor installed.',
          ),

    async make(spec, signal) {
      const hasNetwork = spec.network === 'egress';
      const closeNetwork = async () => {
        if (hasNetwork) await egress.close(ownerOfRun(spec));
      };
      try {
        const network = hasNetwork ? await egress.open(ownerOfRun(spec), signal) : undefined;
        const sandbox = await makeStarted(spec, network);
        const remove = async () => {
          try {
            await spec.lease.end(sandbox.remove);
          } finally {
            await closeNetwork();
          }
        };
        return { ...sandbox, userName: spec.userName, remove };
      } catch (error) {
        // The container may exist all the same: an answer was lost, or it could not be removed.
        removeUnawaited(spec);
        await closeNetwork();
        throw error;
      }
    },

    async left(instance) {
      const ours = { [labelNames.instance]: instance };
      const [containers, networks] = await Promise.all([
        engine.containers.list(ours),
        engine.networks.list(ours),
      ]);
      return [
        ...containers.map((one) => ({ ...one, remove: () => engine.containers.remove(one.id) })),
        ...networks.map((one) => ({ ...one, remove: () => engine.networks.remove(one.id) })),
      ].flatMap(({ id, name, labels, remove }): Leftover[] => {
        // A container also has the labels of its image, so a label alone proves nothing.
        const owner = ownerFrom(name, labels);
        return owner === null ? [] : [{ id, name, owner, remove }];
      });
    },

    // The engine itself knows which images its containers have.
    holds: () => false,
    letGo: async () => {},

    async close() {
      await Promise.all(removals);
    },
  };
}

function ownerOfRun({ owner }: SandboxSpec): SandboxOwner {
  if (owner.of === 'run') return owner.owner;
  throw new Error('a network is made for a run, not for a sandbox that is made ahead');
}
