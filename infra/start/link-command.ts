import { accessSync, constants, lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Say } from '../parts/say.ts';
import type { Settings } from './settings.ts';

/** Makes `runlet` a command, by a link to infra/bin/runlet, and says so. Any other file with that name is left alone. */
export function linkCommand(settings: Settings, say: Say): void {
  const target = join(settings.root, 'infra/bin/runlet');
  const folder =
    settings.binDir ?? (isWritable('/usr/local/bin') ? '/usr/local/bin' : join(homedir(), '.local/bin'));
  const link = join(folder, 'runlet');
  try {
    const present = linkTarget(link);
    if (present === target) return;
    if (present !== undefined && !present.endsWith('/infra/bin/runlet')) {
      say(`${link} is something else and stays as it is: the command of this Runlet is ${target}`);
      return;
    }
    mkdirSync(folder, { recursive: true });
    rmSync(link, { force: true });
    symlinkSync(target, link);
    const inPath = (process.env.PATH ?? '').split(delimiter).includes(folder);
    say(`Linked the runlet command to ${link}${inPath ? '' : ` (put ${folder} into your PATH)`}`);
  } catch (error) {
    // The server runs without this link.
    say(`Could not link the runlet command to ${link} (${(error as Error).message}): use ${target}`);
  }
}

/** The target of a link. Undefined if nothing is there; the path itself if it is not a link. */
function linkTarget(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return stat.isSymbolicLink() ? readlinkSync(path) : path;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
