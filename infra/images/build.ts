import { createHash } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { oneAtATime } from '../parts/one-at-a-time.ts';
import { type Say, step } from '../parts/say.ts';
import { type Definition, readDefinition } from './definition.ts';
import { makeLayer } from './how/index.ts';
import { packagesHook } from './how/packages.ts';
import { addLayer, blobPath, finishLayout, type ImageLayout, type LayerBlob, readLayout } from './layout.ts';
import { nativeArchitecture } from './platform.ts';

/** Add one to this whenever the builder makes different bytes from the same definition. */
const builderVersion = 3;

/** The image, if `cache` has it. */
export const builtImage = (name: string, cache: string): ImageLayout | undefined =>
  readLayout(join(cache, `${name}-${keyOf(readDefinition(name))}`));

/** Builds an image and its base, unless `cache` has them. Other callers that want the image meanwhile wait for this build. */
export async function buildImage(name: string, cache: string, say: Say): Promise<ImageLayout> {
  const definition = readDefinition(name);
  const key = keyOf(definition);
  const folder = join(cache, `${name}-${key}`);
  const present = readLayout(folder);
  if (present !== undefined) return present;
  const base = definition.from === undefined ? undefined : await buildImage(definition.from, cache, say);
  return oneAtATime(
    join(cache, `.${name}-${key}.lock`),
    async () =>
      readLayout(folder) ??
      step(say, `Building image ${name}`, () => build(name, definition, base, folder, cache, say)),
  );
}

async function build(
  name: string,
  definition: Definition,
  base: ImageLayout | undefined,
  folder: string,
  cache: string,
  say: Say,
): Promise<ImageLayout> {
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, `.${name}-`));
  try {
    const output = join(work, 'image');
    mkdirSync(join(output, 'blobs'), { recursive: true });
    const layers: LayerBlob[] = [];
    for (const layer of base?.layers ?? []) {
      if (base !== undefined) linkSync(blobPath(base.folder, layer.digest), blobPath(output, layer.digest));
      layers.push(layer);
    }
    for (const [index, layer] of definition.layers.entries()) {
      const below = layers.map(({ digest }) => blobPath(output, digest));
      const tar = await makeLayer(layer, work, index, below, say);
      layers.push(await addLayer(output, tar));
    }
    finishLayout(output, definition, layers);
    removeOlder(name, cache, folder);
    publish(output, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const layout = readLayout(folder);
  if (layout === undefined) throw new Error(`Image ${name} was built and is not in ${folder}. Try again.`);
  return layout;
}

/** Moves the image into place in one step. If another process has built the same image meanwhile, that one is used. */
function publish(output: string, folder: string): void {
  try {
    renameSync(output, folder);
  } catch (error) {
    if (readLayout(folder) === undefined) throw error;
  }
}

/** Removes builds of older definitions, so that the cache does not grow with every change. */
function removeOlder(name: string, cache: string, folder: string): void {
  for (const entry of readdirSync(cache)) {
    if (join(cache, entry) === folder) continue;
    if (entry.startsWith(`${name}-`) && /^[0-9a-f]{16}$/.test(entry.slice(name.length + 1))) {
      rmSync(join(cache, entry), { recursive: true, force: true });
    }
  }
}

/** A key of everything that decides the result: the definition, its sources, its base, and the type of machine. */
function keyOf(definition: Definition): string {
  const hash = createHash('sha256').update(JSON.stringify([builderVersion, nativeArchitecture, definition]));
  for (const layer of definition.layers) {
    if (layer.how === 'static-c')
      hash.update(readFileSync(new URL(`sources/${layer.source}`, import.meta.url)));
    if (layer.how === 'closure' && '@node' in layer.binaries)
      hash.update(`${process.version} ${realpathSync(process.execPath)}`);
    if (layer.how === 'packages') hash.update(readFileSync(packagesHook));
  }
  if (definition.from !== undefined) hash.update(keyOf(readDefinition(definition.from)));
  return hash.digest('hex').slice(0, 16);
}
