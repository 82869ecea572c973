import type { LayerOf } from '../definition.ts';
import type { Tree } from '../tree.ts';

/** Files, folders and links given in the definition itself. */
export async function files(layer: LayerOf<'files'>, tree: Tree): Promise<void> {
  for (const file of layer.files) {
    const mode = file.mode === undefined ? undefined : Number.parseInt(file.mode, 8);
    if (file.directory === true) tree.directory(file.path, mode);
    else if (file.link !== undefined) tree.link(file.path, file.link);
    else tree.file(file.path, file.text ?? '', mode);
    tree.own(file.path, file.owner);
  }
}
