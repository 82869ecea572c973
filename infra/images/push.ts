import { openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Agent, type BodyInit, fetch, type Response } from 'undici';
import { openForPushes, type RegistryFolder } from '../parts/registry.ts';
import { blobPath, type Descriptor, type ImageLayout } from './layout.ts';

export interface RegistryTarget {
  /** host:port. Plain HTTP: the registries that Runlet runs listen on loopback only. */
  address: string;
  credentials?: { username: string; password: string };
  /** Images are pushed at this socket, and not at the address, which is for pulls. */
  dispatcher?: Agent;
}

/**
 * Pushes into the registry that serves this folder, read-only, at `address`. If something is missing, the folder is opened for pushes
 * meanwhile.
 */
export async function pushToFolder(
  layout: ImageLayout,
  address: string,
  registry: RegistryFolder,
): Promise<boolean> {
  if ((await missingTags(layout, { address })).length === 0) return false;
  const { socketPath, close } = await openForPushes(registry);
  const dispatcher = new Agent({ connect: { socketPath } });
  try {
    return await pushImage(layout, { address, dispatcher });
  } finally {
    await dispatcher.close();
    await close();
  }
}

/** Pushes an image under all its tags. What the registry already has is not sent. Returns true if anything was sent. */
export async function pushImage(layout: ImageLayout, target: RegistryTarget): Promise<boolean> {
  const top = layout.list ?? layout.manifest;
  const missing = await missingTags(layout, target);
  if (missing.length === 0) return false;
  for (const blob of [layout.config, ...layout.layers]) await pushBlob(layout, blob, target);
  if (layout.list !== undefined) await putManifest(layout, layout.manifest, layout.manifest.digest, target);
  for (const tag of missing) await putManifest(layout, top, tag, target);
  return true;
}

async function missingTags(layout: ImageLayout, target: RegistryTarget): Promise<string[]> {
  const top = layout.list ?? layout.manifest;
  const missing = [];
  for (const tag of layout.tags) {
    if ((await digestOf(layout.name, tag, target)) !== top.digest) missing.push(tag);
  }
  return missing;
}

/** The digest of a tag. Undefined if there is none. */
async function digestOf(name: string, tag: string, target: RegistryTarget): Promise<string | undefined> {
  const accept =
    'application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json';
  const response = await call(target, 'HEAD', `/v2/${name}/manifests/${tag}`, { headers: { accept } });
  return response.ok ? (response.headers.get('docker-content-digest') ?? undefined) : undefined;
}

// Distribution specification, "Pushing a blob monolithically": POST gives a location, then PUT sends the whole blob there.
async function pushBlob(layout: ImageLayout, blob: Descriptor, target: RegistryTarget): Promise<void> {
  const known = await call(target, 'HEAD', `/v2/${layout.name}/blobs/${blob.digest}`);
  if (known.ok) return;
  const opened = await call(target, 'POST', `/v2/${layout.name}/blobs/uploads/`);
  const place = opened.headers.get('location');
  if (!opened.ok || place === null) throw await refused(opened, layout, target);
  const url = new URL(place, `http://${target.address}`);
  url.searchParams.set('digest', blob.digest);
  const sent = await call(target, 'PUT', url.pathname + url.search, {
    body: await openAsBlob(blobPath(layout.folder, blob.digest)),
    headers: { 'content-type': 'application/octet-stream' },
  });
  if (!sent.ok) throw await refused(sent, layout, target);
}

async function putManifest(
  layout: ImageLayout,
  what: Descriptor,
  as: string,
  target: RegistryTarget,
): Promise<void> {
  const response = await call(target, 'PUT', `/v2/${layout.name}/manifests/${as}`, {
    body: await readFile(blobPath(layout.folder, what.digest)),
    headers: { 'content-type': what.mediaType },
  });
  if (!response.ok) throw await refused(response, layout, target);
}

async function call(
  target: RegistryTarget,
  method: string,
  path: string,
  init: { body?: BodyInit; headers?: Record<string, string> } = {},
): Promise<Response> {
  const { username, password } = target.credentials ?? {};
  const basic = Buffer.from(`${username}:${password}`).toString('base64');
  const response = await fetch(`http://${target.address}${path}`, {
    ...init,
    method,
    ...(target.dispatcher && { dispatcher: target.dispatcher }),
    headers: {
      ...init.headers,
      ...(target.credentials === undefined ? {} : { authorization: `Basic ${basic}` }),
    },
  });
  // The rest of the answer must be read, otherwise the connection is not used again.
  if (response.ok) await response.arrayBuffer();
  return response;
}

async function refused(response: Response, layout: ImageLayout, target: RegistryTarget): Promise<Error> {
  const said = (await response.text()).slice(0, 500);
  return new Error(`The registry at ${target.address} refused ${layout.name}: ${response.status} ${said}`);
}
