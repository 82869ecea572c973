import { existsSync } from 'node:fs';
import { ensureTools, installPackages } from '../../parts/apt.ts';
import { run } from '../../parts/run.ts';
import type { Say } from '../../parts/say.ts';
import type { LayerOf } from '../definition.ts';

// Files that no program in a container reads. The official slim images leave them out too.
const leftOut = [
  '/usr/share/doc/*',
  '/usr/share/man/*',
  '/usr/share/locale/*',
  '/usr/share/info/*',
  '/usr/share/lintian/*',
  '/var/cache/apt/*.bin',
];

/** This machine's own package sources, if they are Debian's. So a mirror that the operator chose is used. */
const ownSources = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'];

/** A Debian system with the given packages, as a tar. */
export function debian(layer: LayerOf<'debian'>, tar: string, say: Say): Promise<void> {
  return bootstrap(layer.suite, tar, say, [
    '--variant=minbase',
    ...(layer.packages.length > 0 ? [`--include=${layer.packages.join(',')}`] : []),
    '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/* "$1"/etc/hostname "$1"/etc/resolv.conf',
  ]);
}

/** Runs mmdebstrap with the options that all our images share. */
export async function bootstrap(suite: string, tar: string, say: Say, options: string[]): Promise<void> {
  const [mmdebstrap = 'mmdebstrap'] = await ensureTools(
    [{ names: ['mmdebstrap'], packages: ['mmdebstrap'] }],
    say,
  );
  // For distributions derived from Debian: the keys that sign Debian's packages.
  if (!existsSync('/usr/share/keyrings/debian-archive-keyring.gpg')) {
    await installPackages(['debian-archive-keyring'], say);
  }
  const sources = await usableSources(suite);
  await run(
    mmdebstrap,
    [
      '--quiet',
      '--aptopt=Apt::Install-Recommends "false"',
      // No fsync is needed: if the machine loses power during the build, the image is built again.
      '--dpkgopt=force-unsafe-io',
      ...leftOut.map((path) => `--dpkgopt=path-exclude=${path}`),
      // Licences have to stay.
      '--dpkgopt=path-include=/usr/share/doc/*/copyright',
      ...options,
      suite,
      tar,
      ...sources,
    ],
    // The same packages give the same bytes.
    { env: { SOURCE_DATE_EPOCH: '1735689600' }, timeoutMs: 600_000 },
  );
}

async function usableSources(suite: string): Promise<string[]> {
  for (const path of ownSources) {
    if (existsSync(path) && (await run('grep', ['-q', suite, path], { allowFailure: true })).code === 0)
      return [path];
  }
  return [];
}
