import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findEngine } from '../parts/engine.ts';
import type { Say } from '../parts/say.ts';
import { dataFolder } from '../start/data-folder.ts';
import { registryFolder } from '../start/registry-folder.ts';
import { readRunningNote } from '../start/running-note.ts';
import { buildImage } from './build.ts';
import { offeredImages, readDefinition } from './definition.ts';
import { familiarNames, loadImage } from './load.ts';
import { definitionFor } from './named.ts';
import { pushImage, pushToFolder } from './push.ts';

const help = `Builds container images from Debian's packages, for machines that reach no public registry.

  npm run images                     what can be built
  npm run images -- NAME…            builds these and puts them where Runlet finds them; a NAME is an image's, or a
                                     language's: c++ builds gcc
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
  const { values, positionals } = readArguments();
  if (values.help) process.stdout.write(help);
  else if (positionals.length === 0 && !values.all) list(values.json);
  else await buildAll(values.all ? offeredImages() : namesOf(positionals), values);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

/** Node's own sentence speaks of a second "--", which npm would take away. */
function readArguments() {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const [, option] = /'(-[^ ']*)/.exec(message) ?? [];
    if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && option !== undefined)
      throw new Error(`Unknown option ${option}. See --help: \`npm run images -- --help\`.`);
    throw new Error(`${message}. See --help: \`npm run images -- --help\`.`);
  }
}

/** All names are understood before the first image is built. So a typing error in the last name costs no time. */
function namesOf(words: readonly string[]): string[] {
  return [...new Set(words.map(definitionFor))];
}

function list(json: boolean): void {
  for (const name of offeredImages()) {
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
