import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildImage } from '../../infra/images/build.ts';
import { loadImage } from '../../infra/images/load.ts';
import { type OciRuntime, type OwnEngine, startEngine } from '../../infra/parts/own-engine.ts';
import { silent } from '../../infra/parts/say.ts';
import type { Lab } from './lab.ts';

export type SecondEngine = {
  dockerHost: string;
  /** Stops it with its containers, like a machine that is shut down normally. What they wrote stays. */
  halt(): Promise<void>;
  /** Kills only the daemon, at once. Its containers go on or end with it, as on a real machine. */
  kill(): Promise<void>;
  /** Starts the same engine again, with the same id, images, containers and volumes. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

/** A second node beside the lab's own: an Engine with these images. Needs root. */
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
      // The kernel ends this process with dockerd. The next dockerd must not think that it is its own.
      while (existsSync(`/proc/${containerd}`)) await sleep(20);
    },
    async start() {
      engine = await start();
    },
    stop: () => engine.stop(),
  };
}
