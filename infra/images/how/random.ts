import { createCipheriv, createHash } from 'node:crypto';
import type { LayerOf } from '../definition.ts';
import type { Tree } from '../tree.ts';

/** Bytes that look random but are the same at every build: the key stream of a cipher whose key comes from the file's name. */
export async function random(layer: LayerOf<'random'>, tree: Tree): Promise<void> {
  const key = createHash('sha256').update(layer.path).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  tree.file(layer.path, cipher.update(Buffer.alloc(layer.bytes)));
}
