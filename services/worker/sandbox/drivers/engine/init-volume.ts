import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import type { Engine } from '../../../engine/engine.ts';
import { sandboxHostname } from '../../program/environment.ts';
import { initPath } from '../../spec.ts';
import type { SandboxInit } from './container-spec.ts';
import { provideVolume } from './provide-volume.ts';

const label = 'dev.runlet.init';
const { dir: folder, base: file } = posix.parse(initPath);
const hostsFile = 'hosts';

/**
 * The engine makes no hosts file for a sandbox without a network. `localhost` and the sandbox's own name lead to its
 * loopback.
 */
const hosts = [
  `127.0.0.1\tlocalhost ${sandboxHostname}`,
  '::1\tlocalhost ip6-localhost ip6-loopback',
  '',
].join('\n');

export type InitVolume = {
  readonly init: SandboxInit;
  /** Makes the volume again where it is missing or empty (somebody pruned the engine's volumes). */
  provide(): Promise<unknown>;
};

/** The volume that puts the sandbox init on an engine. It is named by its content, so a new init gets a new volume. */
export async function initVolume(engine: Engine, architecture: string, program: string): Promise<InitVolume> {
  const data = await readFile(program).catch((error: Error) => {
    throw new Error(
      `The sandbox init is missing (${error.message}). Build it: sh infra/sandbox-init/build.sh ${program}`,
    );
  });
  const built = architectureOf(data);
  if (built !== architecture)
    throw new Error(
      `The sandbox init at ${program} is for ${built}, the engine is ${architecture}. Build it there, and name it by RUNLET_SANDBOX_INIT.`,
    );
  const digest = createHash('sha256').update(data).update(hosts).digest('hex').slice(0, 16);
  const name = `runlet-init-${digest}`;
  const files = [
    { name: file, mode: 0o555, data },
    { name: hostsFile, mode: 0o444, data: Buffer.from(hosts) },
  ];
  const spec = { name, labels: { [label]: digest }, files };

  const provide = () => provideVolume(engine.volumes, spec);
  const onEngine = await provide();
  const init = {
    volume: { name, path: folder, readOnly: true },
    path: initPath,
    hosts: { source: `${onEngine}/${hostsFile}`, path: '/etc/hosts' },
  };
  return { init, provide };
}

/** The architecture as image manifests name it, from the ELF header's e_machine (at byte 18). */
function architectureOf(data: Buffer): string {
  const machines: Record<number, string> = { 62: 'amd64', 183: 'arm64', 243: 'riscv64', 22: 's390x' };
  const isElf = data.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'));
  const machine = isElf ? data.readUInt16LE(18) : 0;
  return machines[machine] ?? `an unknown machine (${machine})`;
}
