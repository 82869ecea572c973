import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineAt } from '../parts/engine-client.ts';
import { blobPath, type ImageLayout } from './layout.ts';

/** The usual names of an image: as for the public registry, without `library/`. */
export function familiarNames(layout: Pick<ImageLayout, 'name' | 'tags'>): string[] {
  return layout.tags.map((tag) => `${layout.name.replace(/^library\//, '')}:${tag}`);
}

/** Does the Engine have the image under its first name? */
export async function isLoaded(layout: ImageLayout, dockerHost: string): Promise<boolean> {
  const [first = ''] = familiarNames(layout);
  try {
    await engineAt(dockerHost).getImage(first).inspect();
    return true;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

/** Puts an image directly into an Engine, as `docker load` does. This is for an Engine that cannot reach any of our registries. */
export async function loadImage(layout: ImageLayout, dockerHost: string): Promise<void> {
  const staging = mkdtempSync(join(tmpdir(), 'runlet-load-'));
  try {
    const layers = layout.layers.map((layer, index) => {
      mkdirSync(join(staging, String(index)));
      symlinkSync(blobPath(layout.folder, layer.digest), join(staging, String(index), 'layer.tar'));
      return `${index}/layer.tar`;
    });
    symlinkSync(blobPath(layout.folder, layout.config.digest), join(staging, 'config.json'));
    const manifest = [{ Config: 'config.json', RepoTags: familiarNames(layout), Layers: layers }];
    writeFileSync(join(staging, 'manifest.json'), JSON.stringify(manifest));
    // --dereference packs the blobs themselves, not the links to them.
    const tar = spawn('tar', ['-c', '-C', staging, '--dereference', '.'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const answer = await engineAt(dockerHost).loadImage(tar.stdout);
    const said = await textOf(answer).finally(() => tar.kill());
    if (said.includes('"error"'))
      throw new Error(`The Engine did not take ${layout.name}: ${said.slice(-500)}`);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk.toString();
  return text;
}
