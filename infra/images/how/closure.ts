import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { ensureTools, installPackages } from '../../parts/apt.ts';
import { run } from '../../parts/run.ts';
import type { Say } from '../../parts/say.ts';
import { findTool } from '../../parts/tools.ts';
import type { LayerOf } from '../definition.ts';
import type { Tree } from '../tree.ts';

/** Programs of this machine, the shared libraries that they load, and other files that they need. */
export async function closure(layer: LayerOf<'closure'>, tree: Tree, say: Say): Promise<void> {
  const [firstPackage, ...otherPackages] = layer.packages;
  const libraries = new Set<string>();
  for (const [name, target] of Object.entries(layer.binaries)) {
    const program = await locate(
      name,
      firstPackage === undefined ? [] : [firstPackage, ...otherPackages],
      say,
    );
    tree.copy(program, target);
    for (const library of await sharedLibraries(program)) libraries.add(library);
  }
  // Libraries keep the paths where the loader looks for them. A link is followed, but its name is kept.
  for (const library of libraries) tree.copy(realpathSync(library), library.slice(1));
  for (const [name, target] of Object.entries(layer.copies)) {
    tree.copy(name === '@npm' ? await npmFolder() : realpathSync(name), target);
  }
}

async function locate(name: string, packages: string[], say: Say): Promise<string> {
  if (name === '@node') return realpathSync(execPath);
  if (findTool(name) === undefined && packages.length > 0) await installPackages(packages, say);
  const [found = name] = await ensureTools([{ names: [name], packages: [packages[0] ?? name] }], say);
  return realpathSync(found);
}

/** Libraries as ldd(1) finds them: `libc.so.6 => /lib/…/libc.so.6 (0x…)`. The loader itself has no arrow. */
async function sharedLibraries(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program], { allowFailure: true });
  return [...stdout.matchAll(/(?:=>\s+|^\s+)(\/\S+)\s+\(0x/gm)].map((match) => match[1] ?? '');
}

/** npm has no binary of its own: it is a folder beside its command. */
async function npmFolder(): Promise<string> {
  const npm = findTool('npm');
  if (npm === undefined) throw new Error('npm is not installed: install Node.js with npm, then try again.');
  return realpathSync(join(dirname(realpathSync(npm)), '..'));
}
