import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';

/** One image that can be built from Debian's packages, as a data file in definitions/. */
const file = z.strictObject({
  path: z.string().regex(/^[^/].*/, 'relative to the root of the image'),
  text: z.string().optional(),
  directory: z.literal(true).optional(),
  link: z.string().optional(),
  mode: z.string().optional(),
  owner: z
    .string()
    .regex(/^\d+:\d+$/)
    .default('0:0'),
});

const layer = z.discriminatedUnion('how', [
  // A C program from sources/, linked statically, without a C library.
  z.strictObject({ how: z.literal('static-c'), source: z.string(), target: z.string() }),
  // Debian's busybox-static with a link for each applet.
  z.strictObject({ how: z.literal('busybox') }),
  // A small Debian system made by mmdebstrap.
  z.strictObject({ how: z.literal('debian'), suite: z.string(), packages: z.array(z.string()) }),
  // Debian packages and their dependencies, on top of the Debian system in the layers below.
  z.strictObject({ how: z.literal('packages'), suite: z.string(), packages: z.array(z.string()).min(1) }),
  // Programs of this machine with the shared libraries that they need. "@node" and "@npm" mean those that Runlet uses.
  z.strictObject({
    how: z.literal('closure'),
    binaries: z.record(z.string(), z.string()),
    packages: z.array(z.string()),
    copies: z.record(z.string(), z.string()).default({}),
  }),
  z.strictObject({ how: z.literal('files'), files: z.array(file) }),
  // Bytes that cannot be compressed. They are the same at every build.
  z.strictObject({ how: z.literal('random'), path: z.string(), bytes: z.number().int().positive() }),
]);

const definition = z.strictObject({
  name: z.string(),
  tags: z.array(z.string()).min(1),
  about: z.string(),
  /** Another definition. Its layers come first. */
  from: z.string().optional(),
  layers: z.array(layer),
  /** As in an image's config: Cmd, Entrypoint, Env, User … */
  config: z.record(z.string(), z.unknown()),
  /** "foreign": the image is marked as made for another architecture than this machine's. */
  platform: z.enum(['native', 'foreign']).default('native'),
  /** The image is pushed as a manifest list, although that has only one entry. */
  manifestList: z.boolean().default(false),
});

export type Definition = z.infer<typeof definition>;
export type Layer = z.infer<typeof layer>;

export type LayerOf<How extends Layer['how']> = Extract<Layer, { how: How }>;

const folder = new URL('definitions/', import.meta.url);

/** The names that `npm run images` knows. */
export function knownImages(): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}

/** True for the images that only the tests use. They can be built like the others, but nobody else is told of them. */
export const isForTests = ({ name }: Pick<Definition, 'name'>): boolean => name.startsWith('runlet-test/');

/** The names of the images that are of use to an operator. */
export const offeredImages = (): string[] =>
  knownImages().filter((name) => !isForTests(readDefinition(name)));

/** Reads a definition by its short name, `busybox`. */
export function readDefinition(name: string): Definition {
  if (!knownImages().includes(name)) throw new Error(`There is no definition for an image '${name}'.`);
  return definition.parse(JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')));
}
