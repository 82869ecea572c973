import { fileURLToPath } from 'node:url';
import { ensureTools } from './apt.ts';
import { run } from './run.ts';
import type { Say } from './say.ts';

const script = fileURLToPath(new URL('../sandbox-init/build.sh', import.meta.url));
/** Where the worker looks for it (RUNLET_SANDBOX_INIT). */
const program = fileURLToPath(new URL('../sandbox-init/build/init', import.meta.url));

/** Builds the sandbox init for this machine, unless it already exists and is newer than its sources. */
export async function ensureSandboxInit(say: Say): Promise<void> {
  await ensureTools([{ names: ['cc', 'gcc'], packages: ['gcc', 'libc6-dev'] }], say);
  await run('sh', [script, program]);
}
