import type { Log } from '../../../../../shared/log.ts';
import type { Engine } from '../../../engine/engine.ts';
import type { VolumeSpec } from '../../../engine/volumes.ts';
import { provideVolume } from './provide-volume.ts';

const label = 'dev.runlet.accounts';

/** Of this worker's images, and as many again of others' (workers that share the engine; what a former one left). */
const maxVolumes = 64;

/** `digest` says what the files are: they are asked for when the engine does not have them. */
export type AccountFiles = { digest: string; files(): { name: string; data: Buffer }[] };

/**
 * Brings files like /etc/passwd and /etc/group, as runs are to see them, to an engine: a volume for each content, so that images that have
 * the same share one. A container that has such a file keeps it when the volume is removed, and one that is about to be made is refused by
 * the engine where it is gone (somebody pruned volumes, or another worker had too many): then `provide` brings it anew.
 */
export function createAccountFiles(engine: Engine, log: Log) {
  /** By the volume's name, the least used first. */
  const known = new Map<string, Promise<string>>();

  async function bring(name: string, { digest, files }: AccountFiles, anew: boolean): Promise<string> {
    const all = await engine.volumes.list({ [label]: '' });
    void removeSpare(all.map((one) => one.name));
    // One that a former worker left. Should it be empty, the engine refuses the first container, as if it were not there.
    const left = anew ? undefined : all.find((one) => one.name === name);
    if (left !== undefined) return left.folder;
    const contents = files().map((one) => ({ ...one, mode: 0o444 }));
    const spec: VolumeSpec = { name, labels: { [label]: digest }, files: contents };
    return provideVolume(engine, spec);
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
    /** Once for each content, however many ask. With `anew` also where it was brought already. Answers the folder that has the files. */
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
