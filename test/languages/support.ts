import { inject } from 'vitest';
import { findLanguage } from '../../shared/languages/index.ts';
import { docker } from '../support/docker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';

/** On a machine that has built none of the images yet. */
export const buildingMs = 900_000;

/** A Runlet whose Engine can run these languages; at its end the images go that were not there before. */
export async function startWithLanguages(
  languages: string[],
): Promise<{ runlet: Runlet; stop(): Promise<void> }> {
  const lab = inject('lab');
  const added = await ensureImages(lab, languages.map(imageOf));
  const runlet = await startRunlet(lab);
  return {
    runlet,
    async stop() {
      await runlet.stop();
      if (added.length > 0) await docker(lab.dockerHost, 'rmi', '--force', ...added);
    },
  };
}

export function imageOf(language: string): string {
  const found = findLanguage(language);
  if ('fault' in found) throw new Error(`${language}: ${found.fault}`);
  return found.language.image;
}
