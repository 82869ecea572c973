import { fileURLToPath } from 'node:url';
import { ensureTools } from '../../parts/apt.ts';
import { run } from '../../parts/run.ts';
import type { Say } from '../../parts/say.ts';
import type { LayerOf } from '../definition.ts';
import type { Tree } from '../tree.ts';

/** One static C program, without start files and without a C library. */
export async function staticC(layer: LayerOf<'static-c'>, tree: Tree, say: Say): Promise<void> {
  const [gcc = 'gcc'] = await ensureTools([{ names: ['gcc', 'cc'], packages: ['gcc', 'libc6-dev'] }], say);
  const source = fileURLToPath(new URL(`../sources/${layer.source}`, import.meta.url));
  const bare = [
    '-static',
    '-nostdlib',
    '-ffreestanding',
    '-fno-stack-protector',
    '-fno-asynchronous-unwind-tables',
  ];
  await run(gcc, [
    '-Os',
    '-s',
    '-Wall',
    '-Wextra',
    '-Werror',
    ...bare,
    '-Wl,--build-id=none',
    '-o',
    tree.path(layer.target),
    source,
  ]);
}
