import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from '../../support/lab.ts';
import { type Runlet, startRunlet } from '../../support/runlet.ts';
import { webhooksOf } from './deliveries.ts';
import { type Island, startIsland } from './island.ts';
import { type IslandNotifier, startNotifier } from './start-notifier.ts';

export type Scene = {
  runlet: Runlet;
  island: Island;
  /** The one that was started last. */
  notifier: IslandNotifier;
  webhooks: ReturnType<typeof webhooksOf>;
  folder: string;
  restartNotifier(env: Record<string, string>): Promise<void>;
  stop(): Promise<void>;
};

/**
 * A notifier on an island, with the policy that is the default. The gateway allows everything, as if endpoints had been registered under
 * another policy: it is the notifier's own that has to hold.
 */
export async function startScene(lab: Lab, env: Record<string, string>): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-scene-'));
  const runlet = await startRunlet(lab, {
    workers: 0,
    env: {
      RUNLET_WEBHOOK_ALLOW: '0.0.0.0/0,::/0,localhost,*.localhost',
      RUNLET_WEBHOOK_PORTS: '1-65535',
    },
  });
  const island = await startIsland(folder);
  const start = (more: Record<string, string>) => {
    const { RUNLET_WEBHOOK_ALLOW: _, RUNLET_WEBHOOK_PORTS: __, ...rest } = runlet.env;
    return startNotifier(island.prefix, { ...rest, ...env, ...more });
  };
  const scene: Scene = {
    runlet,
    island,
    folder,
    webhooks: webhooksOf(runlet),
    notifier: await start({}).catch(async (error: Error) => {
      await runlet.stop();
      await island.stop();
      throw error;
    }),
    async restartNotifier(more) {
      await scene.notifier.stop();
      scene.notifier = await start(more);
    },
    async stop() {
      await scene.notifier.stop();
      await runlet.stop();
      await island.stop();
      rmSync(folder, { recursive: true });
    },
  };
  return scene;
}

/** What to put at an address: a web server. */
export function web(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  return (socket: Socket) => void server.emit('connection', socket);
}
