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
  return bootstrap(layer.suite, tar, say, [
    '--variant=custom',
    `--setup-hook=${call('before', below)}`,
    // Not by --include: then mmdebstrap unpacks each package twice, which takes twice the time.
    `--customize-hook=${call('install', layer.packages)}`,
    `--customize-hook=${call('after', [])}`,
  ]);
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
