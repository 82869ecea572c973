import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findEngine } from '../parts/engine.ts';
import type { Say } from '../parts/say.ts';
import { dataFolder } from '../start/data-folder.ts';
import { registryFolder } from '../start/registry-folder.ts';
import { readRunningNote } from '../start/running-note.ts';
import { buildImage } from './build.ts';
import { knownImages, readDefinition } from './definition.ts';
import { familiarNames, loadImage } from './load.ts';
import { pushImage, pushToFolder } from './push.ts';

const help = `Builds container images from Debian's packages, for machines that reach no public registry.

  npm run images                     what can be built
  npm run images -- NAME…            builds these and puts them where Runlet finds them
  npm run images -- --all            every one of them

Where they go: into the embedded registry of the Runlet that runs on this data folder (RUNLET_DATA_DIR), else
straight into the Engine (DOCKER_HOST, or the one at the usual socket).

  --registry HOST:PORT   push to this registry instead (plain HTTP)
  --load                 into the Engine, even if there is a registry
  --json                 one JSON object a line, progress on stderr
  --help                 this text
`;

interface Done {
  name: string;
  references: string[];
  digest: string;
  where: string;
}

const options = {
  all: { type: 'boolean', default: false },
  registry: { type: 'string' },
  load: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

try {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) process.stdout.write(help);
  else if (positionals.length === 0 && !values.all) list(values.json);
  else await buildAll(values.all ? knownImages() : positionals, values);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

function list(json: boolean): void {
  for (const name of knownImages()) {
    const { about, tags } = readDefinition(name);
    if (json) console.log(JSON.stringify({ name, about, tags }));
    else console.log(`${name.padEnd(18)} ${about} (${tags.join(', ')})`);
  }
  if (!json) console.log('\nBuild some: npm run images -- NAME…   (--help says more)');
}

async function buildAll(
  names: string[],
  values: { json: boolean; load: boolean; registry?: string | undefined },
): Promise<void> {
  const say: Say = (line) => (values.json ? console.error(line) : console.log(line));
  // All names are checked before the first image is built. So a typing error in the last name costs no time.
  for (const name of names) readDefinition(name);
  const dataDir = dataFolder(process.env);
  const note = readRunningNote(dataDir);
  const registry = values.load ? undefined : (values.registry ?? note?.registry);
  const dockerHost = registry === undefined ? (note?.dockerHost ?? (await findEngine())) : undefined;
  if (registry === undefined && dockerHost === undefined) {
    throw new Error(
      'There is neither a registry nor an Engine to put images into: start Runlet first, `npm start`.',
    );
  }
  for (const name of names) {
    const layout = await buildImage(name, join(dataDir, 'images'), say);
    let where: string;
    if (registry !== undefined) {
      // The embedded registry is read-only at its address.
      const pushed =
        values.registry === undefined
          ? await pushToFolder(layout, registry, registryFolder(dataDir, say))
          : await pushImage(layout, { address: registry });
      where = `registry ${registry}${pushed ? '' : ' (was there)'}`;
    } else {
      await loadImage(layout, dockerHost ?? '');
      where = `Engine ${dockerHost}`;
    }
    const digest = (layout.list ?? layout.manifest).digest;
    const done: Done = { name, references: familiarNames(layout), digest, where };
    if (values.json) console.log(JSON.stringify(done));
    else console.log(`${name}: ${done.references.join(', ')} → ${where}`);
  }
}
