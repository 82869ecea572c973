import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, inject, onTestFinished } from 'vitest';
import type { ContainerId, ContainerSpec } from '../../../services/worker/engine/containers.ts';
import { createDockerEngine } from '../../../services/worker/engine/docker/docker-engine.ts';
import type { Engine } from '../../../services/worker/engine/engine.ts';
import type { ImageInfo } from '../../../services/worker/engine/images.ts';
import type { OutputChunk } from '../../../services/worker/engine/streams.ts';
import { labelNames, type SandboxOwner } from '../../../services/worker/labels.ts';
import type { SandboxNetwork } from '../../../services/worker/network/network.ts';
import { containerSpecFor as containerOf } from '../../../services/worker/sandbox/drivers/engine/container-spec.ts';
import { resolveCommand } from '../../../services/worker/sandbox/program/command.ts';
import { programEnvironment } from '../../../services/worker/sandbox/program/environment.ts';
import { runSeccompProfile } from '../../../services/worker/sandbox/seccomp.ts';
import { sandboxSpecFor } from '../../../services/worker/sandbox/spec.ts';
import { usualUser } from '../../../services/worker/sandbox/users/accounts.ts';
import type { Lease, RunUser } from '../../../services/worker/sandbox/users/run-users.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { runRequestSchema } from '../../../shared/contracts/run-request.ts';
import '../../support/lab.ts';

const MiB = 1024 * 1024;
const most = {
  timeoutMs: 600_000,
  memoryBytes: 2 ** 40,
  cpus: 64,
  pids: 4096,
  outputBytes: MiB,
  diskBytes: 2 ** 40,
};
const schema = runRequestSchema({ limits: most, allowWritable: true, allowEgress: true, registries: [] });

export const seccompProfile = await runSeccompProfile();

/** A user that is nobody's to give back. */
export const leaseOf = (user: RunUser = { uid: 1000, gid: 1000 }): Lease => ({
  user,
  batch: [user],
  end: (remove) => remove(),
});

/** A request as the gateway would hand it on, with every default. */
export function request(fields: Record<string, unknown>): RunRequest {
  return schema.parse({ image: 'busybox', ...fields });
}

/** A sandbox of this run, whose user has no name of its own. */
export const sandboxOf = (asked: RunRequest, image: ImageInfo, who: SandboxOwner, user?: RunUser) =>
  sandboxSpecFor(
    asked,
    image,
    { owner: { of: 'run', owner: who }, lease: leaseOf(user), userName: usualUser, files: () => [] },
    seccompProfile,
  );

const noInit = {
  volume: { name: 'none', path: '/.runlet', readOnly: true },
  path: '/.runlet/init',
  hosts: { source: '/none', path: '/etc/hosts' },
};

/** A sandbox's container whose first process is the program itself: what holds for it holds for all that is in it. */
export function containerSpecFor(
  asked: RunRequest,
  image: ImageInfo,
  who: SandboxOwner,
  network?: SandboxNetwork,
): ContainerSpec {
  const spec = containerOf(sandboxOf(asked, image, who), noInit, network);
  return {
    ...spec,
    ...resolveCommand(asked, image, image.id),
    env: programEnvironment(asked, image, spec.tmpfs),
    stdin: asked.stdin !== undefined,
    volumes: [],
    files: [],
    pids: asked.limits.pids,
  };
}

let serial = 0;
const instance = `enginetest-${process.pid}-${Date.now()}`;

export function owner(): SandboxOwner {
  serial += 1;
  return { run: `run_${instance}-${serial}`, tenant: 'default', attempt: 1, worker: 'test', instance };
}

export type Finished = { exitCode: number; stdout: string; stderr: string; oomKilled: boolean };

/** A container that is kept alive, as the image has it, with what its image's user needs. */
export function serviceSpecFor(
  image: ImageInfo,
  command: string[],
  changes: Partial<ContainerSpec> = {},
): ContainerSpec {
  const who = owner();
  return {
    ...containerSpecFor(request({ command }), image, who),
    user: '',
    workdir: '',
    readOnlyRoot: false,
    tmpfs: [],
    service: { publish: [], log: { maxBytes: MiB, files: 2 } },
    ...changes,
  };
}

export type Bench = {
  engine: Engine;
  image(reference?: string): Promise<ImageInfo>;
  spec(fields: Record<string, unknown>): Promise<ContainerSpec>;
  /** One that is kept alive, started; gone with the test. */
  service(command: string[], changes?: Partial<ContainerSpec>): Promise<ContainerId>;
  /** Creates, starts, reads, waits and removes. */
  run(fields: Record<string, unknown>): Promise<Finished>;
  runSpec(spec: ContainerSpec, stdin?: string): Promise<Finished>;
};

/** A real Engine for a test file; when the file is through, whatever it left behind fails it. */
export function bench(): Bench {
  const engine = createDockerEngine({ dockerHost: inject('lab').dockerHost });
  afterAll(async () => {
    const ours = { [labelNames.instance]: instance };
    const containers = await engine.containers.list(ours);
    const networks = await engine.networks.list(ours);
    for (const one of containers) await engine.containers.remove(one.id);
    for (const one of networks) await engine.networks.remove(one.id);
    engine.close();
    expect({ containers, networks }).toEqual({ containers: [], networks: [] });
  });

  const image = async (reference = 'busybox') => {
    const found = await engine.images.inspect(reference);
    if (found === null) throw new Error(`${reference} is not on the engine`);
    return found;
  };
  const spec = async (fields: Record<string, unknown>) => {
    const asked = request(fields);
    return containerSpecFor(asked, await image(asked.image), owner());
  };
  const runSpec = async (made: ContainerSpec, stdin?: string): Promise<Finished> => {
    const id = await engine.containers.create(made);
    try {
      const attachment = await engine.containers.attach(id, { stdin: stdin !== undefined });
      const output = collect(attachment.output);
      await engine.containers.start(id);
      attachment.stdin?.end(stdin);
      const { stdout, stderr } = await output;
      const { exitCode } = await engine.containers.exit(id);
      const oomKilled = (await engine.containers.inspect(id))?.oomKilled ?? false;
      return { exitCode, oomKilled, stdout: stdout.toString(), stderr: stderr.toString() };
    } finally {
      await engine.containers.remove(id);
    }
  };
  const service = async (command: string[], changes: Partial<ContainerSpec> = {}) => {
    const made = serviceSpecFor(await image(), command, changes);
    onTestFinished(() => engine.containers.remove(made.name));
    const id = await engine.containers.create(made);
    await engine.containers.start(id);
    return id;
  };
  const run = async (fields: Record<string, unknown>) =>
    runSpec(await spec(fields), fields.stdin as string | undefined);
  return { engine, image, spec, service, run, runSpec };
}

export async function collect(
  output: AsyncIterable<OutputChunk>,
): Promise<{ stdout: Buffer; stderr: Buffer }> {
  const parts: Record<OutputChunk['stream'], Buffer[]> = { stdout: [], stderr: [] };
  for await (const { stream, data } of output) parts[stream].push(data);
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr) };
}

/** Runs a program of the machine. Throws with its stderr. */
export function sh(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** An image of one static program made of a C file in probes/, as its entrypoint; `remove` it at the end. */
export function probeImage(name: string): { reference: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-probe-'));
  const reference = `runlet-test-probe-${name}:${process.pid}`;
  try {
    const source = join(folder, 'probe.c');
    cpSync(new URL(`./probes/${name}.c`, import.meta.url), source);
    sh('gcc', '-static', '-O1', '-Wall', '-Werror', '-o', join(folder, 'probe'), source);
    rmSync(source);
    const tar = join(folder, 'root.tar');
    sh('tar', '-C', folder, '-cf', tar, 'probe');
    docker('import', '-c', 'ENTRYPOINT ["/probe"]', tar, reference);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { reference, remove: () => docker('rmi', reference) };
}

/** The real client, so that a test does not prepare itself with what it tests. */
export function docker(...args: string[]): string {
  return execFileSync('docker', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    env: { ...process.env, DOCKER_HOST: inject('lab').dockerHost },
  }).trim();
}
