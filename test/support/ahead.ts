import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { seedTools } from '../../infra/images/seeds.ts';
import { ensureTools, type Tool } from '../../infra/parts/apt.ts';
import { findEngine } from '../../infra/parts/engine.ts';
import { gvisorTool } from '../../infra/parts/gvisor.ts';
import { engineTools } from '../../infra/parts/own-engine.ts';
import { redisTool } from '../../infra/parts/redis.ts';
import { registryTool } from '../../infra/parts/registry.ts';
import type { Say } from '../../infra/parts/say.ts';

// What a run of the whole suite will need. On a bare machine it is ready sooner if it is all prepared together, not one by one.

/** Programs that only single tests need. */
const others: Tool[] = [
  { names: ['mmdebstrap'], packages: ['mmdebstrap'] },
  { names: ['mariadb'], packages: ['mariadb-client-core'] },
  { names: ['docker-compose'], packages: ['docker-compose'] },
  { names: ['wrk'], packages: ['wrk'] },
];

/** Installs all in one step. If one is not available, the test that needs it will say so. */
export async function installAhead(say: Say): Promise<void> {
  const ofEngine = (await findEngine()) === undefined ? [...engineTools, gvisorTool] : [];
  await ensureTools([redisTool, registryTool, ...seedTools, ...ofEngine, ...others], say).catch(
    (error: Error) => say(`not all was installed ahead: ${error.message.split('\n')[0]}`),
  );
}

/** Builds images while the first tests run. A test that needs one sooner builds it itself. Returns the function that ends this. */
export function buildAhead(imageCache: string): () => Promise<void> {
  const program = new URL('./build-ahead.ts', import.meta.url).pathname;
  // It has a process group of its own, so that the programs that it started end with it.
  const child = spawn(process.execPath, [program, imageCache], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = once(child, 'exit');
  return async () => {
    if (child.exitCode !== null || child.pid === undefined) return;
    process.kill(-child.pid, 'SIGTERM');
    await ended;
  };
}
