import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// What tests have loaded into a lab's Engine, for the lab to remove at its end where the Engine is not its own.

const list = (dataDir: string) => join(dataDir, 'loaded-images');

export function noteLoaded(dataDir: string, names: string[]): void {
  appendFileSync(list(dataDir), names.map((name) => `${name}\n`).join(''));
}

export function loadedImages(dataDir: string): string[] {
  return existsSync(list(dataDir)) ? readFileSync(list(dataDir), 'utf8').trim().split('\n') : [];
}
