import { join } from 'node:path';
import type { SandboxLimits, SandboxSpec } from '../../spec.ts';
import { type BoundFile, type BundleParts, bundleFor } from './bundle.ts';
import type { Cgroups } from './cgroups.ts';
import { type ImageRoot, overlayOptions } from './image-roots.ts';
import type { Launch } from './launcher.ts';
import { nameOf, ownerText } from './owners.ts';
import type { Places } from './places.ts';
import { howTo, makesCgroups, type Runtime, runArguments } from './runtime.ts';
import type { Step } from './steps.ts';

/** What all sandboxes of this machine are made with. */
export type Machine = Pick<BundleParts, 'initFolder' | 'kernel' | 'seccomp' | 'apparmorProfile'> & {
  places: Places;
  cgroups: Cgroups;
  runtime: Runtime;
  /** For isolation "gvisor", once it was seen to work. */
  gvisor: Pick<Machine, 'cgroups' | 'runtime'> | null;
};

/** What a sandbox has besides its spec. */
export type BoxParts = {
  image: Pick<ImageRoot, 'path' | 'usualFolders' | 'lower'>;
  network: { namespace: string; dns: string[] } | null;
};

/** The files of a sandbox are mounted for its user, whoever that is. */
const readable = '444';

/** How a sandbox is made and removed. Pure. */
export function boxFor(
  spec: SandboxSpec,
  { image, network }: BoxParts,
  machine: Machine,
  stdio: Pick<Launch, 'socket' | 'hello'>,
): Launch {
  const name = nameOf(spec.owner);
  const { places } = machine;
  const { cgroups, runtime } = startedBy(spec, machine);
  const limits = cgroupLimits(spec, spec.limits);
  const at = places.sandbox(name);
  const cgroup = cgroups.of(name);
  const hasOwnRoot = spec.writable || !hasUsualFolders(spec, image);
  const ownRoot = hasOwnRoot ? ownRootSteps(spec, image, at) : [];
  const files = filesOf(spec, network);
  const bound = files.map(({ name: file, path }): BoundFile => ({ source: at.file(file), path }));
  const config = bundleFor(spec, {
    ...machine,
    root: hasOwnRoot ? at.root : image.path,
    files: bound,
    networkNamespace: network?.namespace ?? null,
    cgroup: makesCgroups(runtime) ? cgroup.byRuntime(limits) : null,
  });
  const ownerFile = spec.writable ? at.onDisk.ownerFile : at.ownerFile;
  return {
    id: name,
    ...stdio,
    how: howTo(runtime),
    pidFile: at.pidFile,
    complaints: at.complaints,
    before: [
      ['file', ownerFile, '600', ownerText(spec, name)],
      ['folder', at.box, '700'],
      ...ownRoot,
      ...files.map(({ name: file, data }): Step => ['file', at.file(file), readable, data]),
      ['file', at.config, '600', JSON.stringify(config)],
      ...(makesCgroups(runtime) ? [] : cgroup.make(limits)),
    ],
    cgroups: makesCgroups(runtime) ? [] : cgroup.enter,
    argv: runArguments(runtime, {
      id: name,
      state: at.runtimeState,
      bundle: at.box,
      pidFile: at.pidFile,
    }),
    after: cgroup.limit(limits),
    removal: removalOf(name, machine),
  };
}

/** What starts a sandbox of this kind. */
export function startedBy(
  { isolation }: Pick<SandboxSpec, 'isolation'>,
  machine: Machine,
): Pick<Machine, 'cgroups' | 'runtime'> {
  if (isolation !== 'gvisor') return machine;
  if (machine.gvisor === null) throw new Error('gVisor cannot be started here');
  return machine.gvisor;
}

/** What gVisor's own kernel needs beside its programs: it is in their cgroup. Measured: 20 MiB at most, and 39 processes and threads. */
const sentry = { memoryBytes: 64 * 1024 * 1024, pids: 256 };

/** The limits of a sandbox's cgroup: the programs may have theirs. */
export const cgroupLimits = (
  { isolation }: Pick<SandboxSpec, 'isolation'>,
  { memoryBytes, pids, cpus }: SandboxLimits,
): SandboxLimits =>
  isolation === 'gvisor'
    ? { memoryBytes: memoryBytes + sentry.memoryBytes, pids: pids + sentry.pids, cpus }
    : { memoryBytes, pids, cpus };

/** What an owner's file is written to first, when its owner changes. */
export const newFile = (file: string) => `${file}.new`;

/** Removes everything that there may be of a sandbox, at whichever step its making was ended. Its owner's files come last. */
export function removalOf(name: string, { places, cgroups }: Pick<Machine, 'places' | 'cgroups'>): Step[] {
  const at = places.sandbox(name);
  return [
    ...cgroups.of(name).remove,
    ['clear', at.runtimeState],
    ['unmount', at.root],
    ['clear', at.box],
    ['tree', at.onDisk.folder],
    ...[at.onDisk.ownerFile, at.ownerFile].flatMap((file): Step[] => [
      ['unlink', newFile(file)],
      ['unlink', file],
    ]),
  ];
}

/** Whether the runtime makes nothing in the image's root for it but what every sandbox of the image has there. */
function hasUsualFolders({ folders, workdir }: SandboxSpec, { usualFolders }: BoxParts['image']): boolean {
  const isUsual = usualFolders.some((folder) => workdir === folder || workdir.startsWith(`${folder}/`));
  return isUsual && folders.every(({ path }) => usualFolders.includes(path) || isBelow(usualFolders, path));
}

/** A folder inside of one in memory: the runtime makes it there. */
const isBelow = (folders: string[], path: string) => folders.some((folder) => path.startsWith(`${folder}/`));

function ownRootSteps(
  spec: SandboxSpec,
  { lower }: BoxParts['image'],
  at: ReturnType<Places['sandbox']>,
): Step[] {
  const base = spec.writable ? at.onDisk.folder : at.box;
  return [
    ...(spec.writable ? [['folder', base, '700'] satisfies Step] : []),
    ['folder', join(base, 'upper'), '755'],
    ['folder', join(base, 'work'), '700'],
    ['folder', at.root, '755'],
    ['overlay', at.root, lower.folder, overlayOptions(lower.options, base)],
  ];
}

function filesOf(spec: SandboxSpec, network: BoxParts['network']) {
  const resolvers = network?.dns.map((address) => `nameserver ${address}\n`).join('');
  return [
    ...spec.files(spec.lease.user),
    { name: 'hosts', path: '/etc/hosts', data: Buffer.from(hostsFor(spec)) },
    { name: 'hostname', path: '/etc/hostname', data: Buffer.from(`${spec.hostname}\n`) },
    ...(resolvers === undefined
      ? []
      : [{ name: 'resolv.conf', path: '/etc/resolv.conf', data: Buffer.from(resolvers) }]),
  ];
}

/** `localhost` and the sandbox's own name lead to its loopback. */
const hostsFor = ({ hostname }: SandboxSpec) =>
  `127.0.0.1\tlocalhost ${hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;
