import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Say } from '../../parts/say.ts';
import type { Layer } from '../definition.ts';
import { Tree } from '../tree.ts';
import { busybox } from './busybox.ts';
import { closure } from './closure.ts';
import { debian } from './debian.ts';
import { files } from './files.ts';
import { packages } from './packages.ts';
import { random } from './random.ts';
import { staticC } from './static-c.ts';

/** Makes one layer of a definition, as an uncompressed tar in `folder`. Returns its path. */
export async function makeLayer(
  layer: Layer,
  folder: string,
  index: number,
  below: string[],
  say: Say,
): Promise<string> {
  const tar = join(folder, `layer-${index}.tar`);
  // mmdebstrap writes a tar by itself.
  if (layer.how === 'debian') {
    await debian(layer, tar, say);
    return tar;
  }
  if (layer.how === 'packages') {
    await packages(layer, below, tar, say);
    return tar;
  }
  const tree = new Tree(join(folder, `tree-${index}`));
  await fill(layer, tree, say);
  await tree.pack(tar);
  rmSync(tree.folder, { recursive: true, force: true });
  return tar;
}

async function fill(
  layer: Exclude<Layer, { how: 'debian' | 'packages' }>,
  tree: Tree,
  say: Say,
): Promise<void> {
  switch (layer.how) {
    case 'static-c':
      return staticC(layer, tree, say);
    case 'busybox':
      return busybox(tree, say);
    case 'closure':
      return closure(layer, tree, say);
    case 'files':
      return files(layer, tree);
    case 'random':
      return random(layer, tree);
    default:
      return layer satisfies never;
  }
}
