import type { Log } from '../../../../../shared/log.ts';
import type { Engine } from '../../../engine/engine.ts';
import type { VolumeSpec } from '../../../engine/volumes.ts';
import { provideVolume } from './provide-volume.ts';

const label = 'dev.runlet.accounts';

/**
 * This many for this worker's images, and as many again for others (workers that share the engine, or an earlier one).
 */
const maxVolumes = 64;

/** `digest` identifies the content. `files` is called only when the engine does not have them. */
export type AccountFiles = { digest: string; files(): { name: string; data: Buffer }[] };

/**
 * Puts files like /etc/passwd and /etc/group, as runs are to see them, on an engine. There is a volume for each
 * content, so images with the same content share one. A container that has such a file keeps it when the volume is
 * removed. If the volume is gone before a container is made (somebody pruned volumes, or another worker had too many),
 * the engine refuses the container: then `provide` makes the volume again.
 */
export function createAccountFiles(engine: Engine, log: Log) {
  /** By the volume's name, the least recently used first. */
  const known = new Map<string, Promise<string>>();

  async function bring(name: string, { digest, files }: AccountFiles, anew: boolean): Promise<string> {
    const all = await engine.volumes.list({ [label]: '' });
    void removeSpare(all.map((one) => one.name));
    // An earlier worker left this volume. If it is empty, the engine refuses the first container, as if the volume were
    // missing.
    const left = anew ? undefined : all.find((one) => one.name === name);
    if (left !== undefined) return left.folder;
    const contents = files().map((one) => ({ ...one, mode: 0o444 }));
    const spec: VolumeSpec = { name, labels: { [label]: digest }, files: contents };
    return provideVolume(engine.volumes, spec);
  }

  async function removeSpare(all: string[]): Promise<void> {
    const spare = [...known.keys()].slice(0, Math.max(0, known.size - maxVolumes));
    for (const name of spare) known.delete(name);
    const strange = all.filter((name) => !known.has(name) && !spare.includes(name));
    spare.push(...strange.slice(maxVolumes));
    for (const name of spare)
      await engine.volumes
        .remove(name)
        .catch((error: Error) => log.warn({ volume: name, reason: error.message }, 'not removed'));
  }

  return {
    /**
     * Made once for each content, even for several calls at a time. With `anew` it is made again. Returns the folder
     * with the files.
     */
    async provide(wanted: AccountFiles, anew = false): Promise<string> {
      const name = `runlet-accounts-${wanted.digest}`;
      const before = anew ? undefined : known.get(name);
      known.delete(name);
      const folder = before ?? bring(name, wanted, anew);
      known.set(name, folder);
      try {
        return await folder;
      } catch (error) {
        if (known.get(name) === folder) known.delete(name);
        throw error;
      }
    },
  };
}
