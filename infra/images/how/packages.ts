import { fileURLToPath } from 'node:url';
import type { Say } from '../../parts/say.ts';
import type { LayerOf } from '../definition.ts';
import { bootstrap } from './debian.ts';

/** What it does decides what comes out. */
export const packagesHook = fileURLToPath(new URL('packages-hook.sh', import.meta.url));

/** Debian packages installed over the layers below; the tar has what came with them and nothing else. */
export function packages(layer: LayerOf<'packages'>, below: string[], tar: string, say: Say): Promise<void> {
  const call = (phase: string, files: string[]) =>
    ['sh', ...[packagesHook, phase].map(quote), '"$1"', ...files.map(quote)].join(' ');
  return bootstrap(layer, tar, say, [
    '--variant=custom',
    // The machine may lose power while it builds: then the image is built again. So nothing needs an fsync.
    '--dpkgopt=force-unsafe-io',
    `--setup-hook=${call('before', below)}`,
    `--customize-hook=${call('after', [])}`,
  ]);
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
