import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from '../../infra/images/build.ts';
import { loadImage } from '../../infra/images/load.ts';
import { type OciRuntime, type OwnEngine, startEngine } from '../../infra/parts/own-engine.ts';
import { silent } from '../../infra/parts/say.ts';
import type { Lab } from './lab.ts';

export type SecondEngine = {
  dockerHost: string;
  /** Ends it with its containers, as a machine does that is shut down in good order; what they wrote stays. */
  halt(): Promise<void>;
  /** The daemon alone, from one moment to the next: its containers go on, or end with it, as they do for real. */
  kill(): Promise<void>;
  /** The same engine again: its id, images, containers, volumes. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

/** A node beside the lab's own: an Engine with these images. Takes root. */
export async function startSecondEngine(
  lab: Lab,
  name: string,
  images: string[],
  runtimes: Record<string, OciRuntime> = {},
): Promise<SecondEngine> {
  const execRoot = join(lab.dataDir, `${name}/exec`);
  const start = () =>
    startEngine({
      socket: join(lab.dataDir, `${name}/docker.sock`),
      dataRoot: join(lab.dataDir, `${name}/data`),
      execRoot,
      pidfile: join(lab.dataDir, `${name}/dockerd.pid`),
      logFile: join(lab.dataDir, `logs/${name}.log`),
      runtimes,
      second: true,
      say: silent,
    });
  let engine: OwnEngine = await start();
  for (const image of images)
    await loadImage(await buildImage(image, lab.imageCache, silent), engine.dockerHost);
  return {
    dockerHost: engine.dockerHost,
    halt: () => engine.stop(),
    async kill() {
      const containerd = readFileSync(join(execRoot, 'containerd/containerd.pid'), 'utf8').trim();
      engine.child.kill('SIGKILL');
      await engine.child.ended;
      // The kernel ends it with dockerd; the next one must not take it for its own.
      while (existsSync(`/proc/${containerd}`)) await new Promise((resolve) => setTimeout(resolve, 20));
    },
    async start() {
      engine = await start();
    },
    stop: () => engine.stop(),
  };
}
