import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Definition } from './definition.ts';
import { foreignArchitecture, nativeArchitecture } from './platform.ts';

/** How a manifest describes a blob of an image. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

export interface LayerBlob extends Descriptor {
  /** The digest of the tar before compression. */
  diffId: string;
}

/** An image on disk. Its blobs are in `folder/blobs`, each named by the hex of its digest. */
export interface ImageLayout {
  folder: string;
  name: string;
  tags: string[];
  manifest: Descriptor;
  /** The manifest list that names the manifest, if the definition asks for one. */
  list?: Descriptor;
  config: Descriptor;
  layers: LayerBlob[];
}

const docker = 'application/vnd.docker';
const manifestType = `${docker}.distribution.manifest.v2+json`;
const listType = `${docker}.distribution.manifest.list.v2+json`;
const configType = `${docker}.container.image.v1+json`;
const layerType = `${docker}.image.rootfs.diff.tar`;

/** Larger layers are not compressed. They have up to some hundred megabytes and stay on this machine, so time matters more than size. */
const maxCompressed = 4 * 1024 * 1024;

export const blobPath = (folder: string, digest: string) =>
  join(folder, 'blobs', digest.slice('sha256:'.length));

/** Moves a layer's tar to the blobs of an image. */
export async function addLayer(folder: string, tar: string): Promise<LayerBlob> {
  const diffId = await digestOf(tar);
  if (statSync(tar).size > maxCompressed) return { ...addBlob(folder, tar, diffId, layerType), diffId };
  const packed = `${tar}.gz`;
  await pipeline(createReadStream(tar), createGzip(), createWriteStream(packed));
  rmSync(tar);
  return { ...addBlob(folder, packed, await digestOf(packed), `${layerType}.gzip`), diffId };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return `sha256:${hash.digest('hex')}`;
}

function addBlob(folder: string, path: string, digest: string, mediaType: string): Descriptor {
  renameSync(path, blobPath(folder, digest));
  return { mediaType, digest, size: statSync(blobPath(folder, digest)).size };
}

/** Writes the config, the manifest and, if wanted, the manifest list. After that the image is complete. */
export function finishLayout(folder: string, definition: Definition, layers: LayerBlob[]): ImageLayout {
  const architecture = definition.platform === 'foreign' ? foreignArchitecture : nativeArchitecture;
  // The time is fixed, so that the same definition gives the same digest at every build.
  const created = '2025-01-01T00:00:00Z';
  const config = addJson(folder, configType, {
    architecture,
    os: 'linux',
    created,
    config: definition.config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created, created_by: `runlet images ${definition.name}` })),
  });
  const manifest = addJson(folder, manifestType, {
    schemaVersion: 2,
    mediaType: manifestType,
    config,
    layers: layers.map(({ mediaType, size, digest }) => ({ mediaType, size, digest })),
  });
  const layout: ImageLayout = {
    folder,
    name: definition.name,
    tags: definition.tags,
    manifest,
    config,
    layers,
  };
  if (definition.manifestList) {
    layout.list = addJson(folder, listType, {
      schemaVersion: 2,
      mediaType: listType,
      manifests: [{ ...manifest, platform: { architecture, os: 'linux' } }],
    });
  }
  const { folder: _, ...portable } = layout;
  writeFileSync(join(folder, 'image.json'), `${JSON.stringify(portable, null, 2)}\n`);
  return layout;
}

/** An image that was built before. Undefined if there is none. */
export function readLayout(folder: string): ImageLayout | undefined {
  try {
    return { ...(JSON.parse(readFileSync(join(folder, 'image.json'), 'utf8')) as ImageLayout), folder };
  } catch {
    return undefined;
  }
}

function addJson(folder: string, mediaType: string, value: unknown): Descriptor {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  writeFileSync(blobPath(folder, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}
