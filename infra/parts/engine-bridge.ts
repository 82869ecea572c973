import { createHash } from 'node:crypto';
import { run } from './run.ts';

/**
 * The default bridge of a second Engine on one machine. `--bridge=none` does not work: a dockerd started with it deletes
 * the docker0 of the first Engine (seen with 20.10). If both shared docker0, each address would be given out twice.
 */
export async function makeBridge(owner: string): Promise<string> {
  const hash = createHash('sha256').update(owner).digest();
  const name = `rl-${hash.toString('hex').slice(0, 10)}`;
  await removeBridge(name);
  await run('ip', ['link', 'add', name, 'type', 'bridge']);
  await run('ip', ['address', 'add', `10.214.${hash[0] ?? 0}.1/24`, 'dev', name]);
  await run('ip', ['link', 'set', name, 'up']);
  return name;
}

/** May be called again without effect. */
export async function removeBridge(name: string): Promise<void> {
  await run('ip', ['link', 'delete', name], { allowFailure: true });
}
