import { fileURLToPath } from 'node:url';
import type { Say } from '../../parts/say.ts';
import type { LayerOf } from '../definition.ts';
import { bootstrap } from './debian.ts';

const hook = fileURLToPath(new URL('packages-hook.sh', import.meta.url));

/** Debian packages installed over the layers below; the tar has what came with them and nothing else. */
export function packages(layer: LayerOf<'packages'>, below: string[], tar: string, say: Say): Promise<void> {
  const call = (phase: string, files: string[]) =>
    ['sh', ...[hook, phase].map(quote), '"$1"', ...files.map(quote)].join(' ');
  return bootstrap(layer, tar, say, [
    '--variant=custom',
    `--setup-hook=${call('before', below)}`,
    `--customize-hook=${call('after', [])}`,
  ]);
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
