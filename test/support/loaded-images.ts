import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// The images that tests have loaded into a lab's Engine. If the Engine is not the lab's own, the lab removes them at its end.

const list = (dataDir: string) => join(dataDir, 'loaded-images');

export function noteLoaded(dataDir: string, names: string[]): void {
  appendFileSync(list(dataDir), names.map((name) => `${name}\n`).join(''));
}

export function loadedImages(dataDir: string): string[] {
  return existsSync(list(dataDir)) ? readFileSync(list(dataDir), 'utf8').trim().split('\n') : [];
}
