import { fileURLToPath } from 'node:url';
import { ensureTools } from './apt.ts';
import { run } from './run.ts';
import type { Say } from './say.ts';

/** Each where the worker looks for it: RUNLET_SANDBOX_INIT, RUNLET_LAUNCHER. */
const programs = [
  ['../sandbox-init/build.sh', '../sandbox-init/build/init'],
  ['../launcher/build.sh', '../launcher/build/launcher'],
] as const;

/**
 * Builds the sandbox init and the launcher of sandboxes for this machine, unless they already exist and are newer than their sources.
 */
export async function ensureStaticPrograms(say: Say): Promise<void> {
  await ensureTools([{ names: ['cc', 'gcc'], packages: ['gcc', 'libc6-dev'] }], say);
  for (const words of programs) {
    const [script = '', program = ''] = words.map((path) => fileURLToPath(new URL(path, import.meta.url)));
    await run('sh', [script, program]);
  }
}
