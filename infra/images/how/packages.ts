import { fileURLToPath } from 'node:url';
import type { Say } from '../../parts/say.ts';
import type { LayerOf } from '../definition.ts';
import { bootstrap } from './debian.ts';

/** The hook is part of the image's key, since what it does decides the result. */
export const packagesHook = fileURLToPath(new URL('packages-hook.sh', import.meta.url));

/** Installs Debian packages over the layers below. The tar has only the files that came with the packages. */
export function packages(layer: LayerOf<'packages'>, below: string[], tar: string, say: Say): Promise<void> {
  const call = (phase: string, files: string[]) =>
    ['sh', ...[packagesHook, phase].map(quote), '"$1"', ...files.map(quote)].join(' ');
  return bootstrap(layer, tar, say, [
    '--variant=custom',
    // No fsync is needed: if the machine loses power during the build, the image is built again.
    '--dpkgopt=force-unsafe-io',
    `--setup-hook=${call('before', below)}`,
    `--customize-hook=${call('after', [])}`,
  ]);
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
