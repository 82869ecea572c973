import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Labels } from '../engine/label-set.ts';
import { labelsFor, ownerFrom, type SandboxOwner, sandboxName } from '../labels.ts';

/**
 * Whose the networks are that workers of this machine make: one record for each, which is there before anything of its network is, and goes
 * after it. A record is a symbolic link that leads nowhere, with the labels as its target: it is there as a whole or not at all, without a
 * second file that a killed worker would leave.
 */
export function createOwnNetworkRecords(folder: string) {
  const pathOf = (name: string) => join(folder, name);

  return {
    pathOf,

    write(owner: SandboxOwner): void {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      symlinkSync(JSON.stringify(labelsFor(owner)), pathOf(sandboxName(owner)));
    },

    remove: (name: string): void => rmSync(pathOf(name), { force: true }),

    isThere: (name: string): boolean => labelsOf(pathOf(name)) !== null,

    /** All of them, of every Runlet on this machine. */
    list(): { name: string; owner: SandboxOwner }[] {
      return namesIn(folder).flatMap((name) => {
        const labels = labelsOf(pathOf(name));
        const found = labels === null ? null : ownerFrom(name, labels);
        return found?.of === 'run' ? [{ name, owner: found.owner }] : [];
      });
    },
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** `null`: it is no record, or gone. */
function labelsOf(path: string): Labels | null {
  try {
    return JSON.parse(readlinkSync(path)) as Labels;
  } catch {
    return null;
  }
}
