import { inject } from 'vitest';
import { findLanguage } from '../../shared/languages/index.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';

/** On a machine that has built none of the images yet. */
export const buildingMs = 900_000;

/** A Runlet whose Engine can run these languages. */
export async function startWithLanguages(
  languages: string[],
  env: Record<string, string> = {},
): Promise<Runlet> {
  const lab = inject('lab');
  await ensureImages(lab, languages.map(imageOf));
  return startRunlet(lab, { env });
}

export function imageOf(language: string): string {
  const found = findLanguage(language);
  if ('fault' in found) throw new Error(`${language}: ${found.fault}`);
  return found.language.image;
}
