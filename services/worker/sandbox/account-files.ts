import { createHash } from 'node:crypto';
import type { Log } from '../../../shared/log.ts';
import type { Engine, FileMount, VolumeSpec } from '../engine/engine.ts';
import { provideVolume } from './provide-volume.ts';

const label = 'dev.runlet.accounts';

/** Of this worker's images, and as many again of others' (workers that share the engine; what a former one left). */
const mostVolumes = 64;

export type AccountFile = { name: 'passwd' | 'group'; path: string; data: Buffer };

/** Files that lie on the engine, and the mounts that bring them into a sandbox. */
export type ProvidedFiles = { files: AccountFile[]; mounts: FileMount[] };

/**
 * Brings /etc/passwd and /etc/group, as a run is to see them, to an engine: a volume for each content, so that images that have the same
 * share one. A container that has such a file keeps it when the volume is removed, and one that is about to be made is refused by the engine
 * where it is gone (somebody pruned volumes, or another worker had too many): then `provide` brings it anew.
 */
export function createAccountFiles(engine: Engine, log: Log) {
  /** By the volume's name, the least used first. */
  const known = new Map<string, Promise<string>>();

  async function bring(spec: VolumeSpec, anew: boolean): Promise<string> {
    const all = await engine.listVolumes({ [label]: '' });
    void removeSpare(all.map(({ name }) => name));
    // One that a former worker left. Should it be empty, the engine refuses the first container, as if it were not there.
    const left = anew ? undefined : all.find(({ name }) => name === spec.name);
    return left?.folder ?? (await provideVolume(engine, spec));
  }

  async function removeSpare(all: string[]): Promise<void> {
    const spare = [...known.keys()].slice(0, Math.max(0, known.size - mostVolumes));
    for (const name of spare) known.delete(name);
    const strange = all.filter((name) => !known.has(name) && !spare.includes(name));
    spare.push(...strange.slice(mostVolumes));
    for (const name of spare)
      await engine
        .removeVolume(name)
        .catch((error: Error) => log.warn({ volume: name, reason: error.message }, 'not removed'));
  }

  /** Once for each content, however many ask. With `anew` also where it was brought already. */
  async function provide(files: AccountFile[], anew = false): Promise<ProvidedFiles> {
    if (files.length === 0) return { files, mounts: [] };
    const hash = createHash('sha256');
    for (const { name, data } of files) hash.update(`${name} ${data.length}\n`).update(data);
    const digest = hash.digest('hex').slice(0, 16);
    const name = `runlet-accounts-${digest}`;
    const before = anew ? undefined : known.get(name);
    known.delete(name);
    const contents = files.map((one) => ({ name: one.name, mode: 0o444, data: one.data }));
    const folder = before ?? bring({ name, labels: { [label]: digest }, files: contents }, anew);
    known.set(name, folder);
    try {
      const at = await folder;
      return { files, mounts: files.map(({ name: file, path }) => ({ source: `${at}/${file}`, path })) };
    } catch (error) {
      if (known.get(name) === folder) known.delete(name);
      throw error;
    }
  }

  return { provide };
}
