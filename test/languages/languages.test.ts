import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { findLanguage } from '../../shared/languages/index.ts';
import { docker } from '../support/docker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { allPrograms } from './programs.ts';

const lab = inject('lab');
const programs = allPrograms();
const images = programs.map(({ request }) => {
  const found = findLanguage(request.language);
  if ('fault' in found) throw new Error(`${request.language}: ${found.fault}`);
  return found.language.image;
});
let runlet: Runlet;
let added: string[] = [];

// On a machine that has built none of the images yet.
const buildingMs = 900_000;

beforeAll(async () => {
  added = await ensureImages(lab, images);
  runlet = await startRunlet(lab);
}, buildingMs);

afterAll(async () => {
  await runlet.stop();
  if (added.length > 0) await docker(lab.dockerHost, 'rmi', '--force', ...added);
});

describe('a program of several files in', () => {
  test.each(programs)('$name', { timeout: 300_000 }, async ({ request, expected }) => {
    const run = await runlet.run(request);
    expect(run.steps.map(({ stderr }) => stderr).join('')).toBe('');
    expect(run.stdout).toBe(expected);
    expect(run).toMatchObject({ status: 'succeeded', exitCode: 0, error: null });
  });
});
