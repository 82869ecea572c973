import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildImage, builtImage } from '../../infra/images/build.ts';
import { knownImages, readDefinition } from '../../infra/images/definition.ts';
import type { ImageLayout } from '../../infra/images/layout.ts';
import { familiarNames, isLoaded, loadImage } from '../../infra/images/load.ts';
import { pushImage } from '../../infra/images/push.ts';
import { oneAtATime } from '../../infra/parts/one-at-a-time.ts';
import type { Lab } from './lab.ts';
import { noteLoaded } from './loaded-images.ts';

// Messages do not go to stdout, since the benchmark's table goes there.
const say = (line: string) => console.error(`lab: ${line}`);

/** An image of infra/images/definitions, built on first use. Where nothing can be installed, the suite's other lanes build it. */
export async function labImage(lab: Pick<Lab, 'builds' | 'imageCache'>, name: string): Promise<ImageLayout> {
  if (lab.builds) return buildImage(name, lab.imageCache, say);
  for (;;) {
    const built = builtImage(name, lab.imageCache);
    if (built !== undefined) return built;
    await sleep(500);
  }
}

/**
 * Builds an image of infra/images/definitions on first use (`debian`, `redis`, `registry`, `node` take a while) and
 * pushes it to the lab's registry. Returns the reference to pull it by, `127.0.0.1:PORT/library/debian:latest`.
 */
export async function ensureImage(lab: Lab, name: string): Promise<string> {
  const layout = await labImage(lab, name);
  await oneAtATime(join(lab.dataDir, 'locks', `push-${name}`), () =>
    pushImage(layout, { address: lab.registry }),
  );
  return `${lab.registry}/${layout.name}:${layout.tags[0] ?? 'latest'}`;
}

/**
 * Puts an image into the Engine under its plain names, as if it had been pulled from the public registry. This is done once
 * for all tests of this lab. If the Engine is not the lab's own, the image is removed from it at the lab's end.
 */
export async function ensureLoaded(lab: Lab, name: string): Promise<void> {
  const layout = await labImage(lab, name);
  await oneAtATime(join(lab.dataDir, 'locks', `load-${name}`), async () => {
    if (await isLoaded(layout, lab.dockerHost)) return;
    await loadImage(layout, lab.dockerHost);
    noteLoaded(lab.dataDir, familiarNames(layout));
  });
}

/**
 * Lets the lab's Engine run these references (`python:3.11-slim-bookworm`) by their plain names. The images are put into the
 * registry that is the mirror of the lab's own Engine, else directly into the Engine. They are built on first use, which takes
 * half a minute each.
 */
export async function ensureImages(lab: Lab, references: string[]): Promise<void> {
  if (!lab.ownsEngine) return loadImages(lab, references);
  for (const name of definitionsOf(references)) await ensureImage(lab, name);
}

/** The same, but the images are put directly into the Engine. */
export async function loadImages(lab: Lab, references: string[]): Promise<void> {
  for (const name of definitionsOf(references)) await ensureLoaded(lab, name);
}

function definitionsOf(references: string[]): string[] {
  const byReference = new Map(
    knownImages().flatMap((name) =>
      familiarNames(readDefinition(name)).map((reference) => [reference, name]),
    ),
  );
  const names = references.map((reference) => {
    const name = byReference.get(reference);
    if (name === undefined) throw new Error(`No definition in infra/images makes ${reference}.`);
    return name;
  });
  return [...new Set(names)];
}
