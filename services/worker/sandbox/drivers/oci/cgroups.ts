import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { socketBytesFor } from '../../../engine/kernel-settings.ts';
import type { SandboxLimits } from '../../spec.ts';
import type { Step } from './steps.ts';

/** Everything of ours is below a cgroup of this name, in each hierarchy. */
const usualParent = 'runlet';
/** On v1: the cgroup that all sandboxes share in the hierarchies without limits of their own. */
const shared = 'sandboxes';

/** How sandboxes are limited here: by cgroup v1 (also where v2 is mounted beside it, without controllers), or by v2. */
export type Cgroups = {
  version: '1' | '2';
  /** Makes what all sandboxes have in common. Throws where that is not possible. */
  prepare(): void;
  of(name: string): SandboxCgroup;
};

/** The cgroups of one sandbox. */
export type SandboxCgroup = {
  /** As the launcher enters them. */
  enter: string[];
  /** Makes them, with the limits that also count for the runtime's own start. */
  make(limits: SandboxLimits): Step[];
  /** The other limits. The runtime itself takes processes, and with a tenth of a processor it would take ten times as long. */
  limit(limits: SandboxLimits): Step[];
  /** For a runtime that makes the cgroups by itself. */
  byRuntime(limits: SandboxLimits): { path: string; resources: object };
  /** Other limits, later. */
  update(from: SandboxLimits, to: SandboxLimits): Step[];
  /** Kills all that is in it. */
  end: Step;
  remove: Step[];
  /** How many processes the kernel has killed in it for want of memory. */
  oomKills(): Promise<number>;
};

export type Hierarchy = { at: string; controllers: string[] };

const root = '/sys/fs/cgroup';
/** As the Engine's (`--cpus`): the time that is shared out anew. */
const periodUs = 100_000;
/** Those with limits of each sandbox. */
const limiting = ['memory', 'cpu', 'cpuacct', 'pids'];
const needed = ['memory', 'cpu', 'pids'];

/** The cgroup as the runtime specification names it, with its limits. Devices are those that every runtime allows by itself. */
const asResources = (parent: string, name: string, { memoryBytes, cpus, pids }: SandboxLimits) => ({
  path: `/${parent}/${name}`,
  resources: {
    devices: [{ allow: false, access: 'rwm' }],
    memory: { limit: memoryBytes, swap: memoryBytes },
    cpu: { shares: sharesFor(cpus), quota: quotaFor(cpus), period: periodUs },
    pids: { limit: pids },
  },
});

/**
 * The cgroups of this machine, from /proc/self/mountinfo. Throws an Error where there are none that could be used.
 *
 * @param byRuntime whether the runtime makes them; it makes one in each hierarchy
 */
export function findCgroups(
  byRuntime: boolean,
  { parent = usualParent, mountinfo = readFileSync('/proc/self/mountinfo', 'utf8') } = {},
): Cgroups {
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const fields = before.split(' ');
    const [type = '', , options = ''] = after.split(' ');
    return [{ at: fields[4] ?? '', type, controllers: options.split(',').filter((one) => one !== 'rw') }];
  });
  if (mounts.some(({ at, type }) => type === 'cgroup2' && at === root)) return cgroupsV2(parent);
  // A container that has the engine's data sees other containers' mounts of them below it, too.
  const hierarchies = mounts.filter(({ at, type }) => type === 'cgroup' && at.startsWith(`${root}/`));
  const lacking = needed.filter((name) => !hierarchies.some(({ controllers }) => controllers.includes(name)));
  if (lacking.length > 0) throw new Error(`no cgroup controller for ${lacking.join(', ')} is mounted`);
  return cgroupsV1(parent, hierarchies, byRuntime);
}

const sharesFor = (cpus: number) => Math.max(2, Math.round(cpus * 1024));
const quotaFor = (cpus: number) => Math.max(1_000, Math.round(cpus * periodUs));

function cgroupsV1(parent: string, hierarchies: Hierarchy[], byRuntime: boolean): Cgroups {
  const limited = hierarchies.filter(({ controllers }) => controllers.some((one) => limiting.includes(one)));
  const others = hierarchies.filter((one) => !limited.includes(one));
  const at = (controller: string) => limited.find((one) => one.controllers.includes(controller))?.at ?? '';
  const [memoryAt, cpuAt, pidsAt] = [at('memory'), at('cpu'), at('pids')];
  const countsSwap = existsSync(`${memoryAt}/memory.memsw.limit_in_bytes`);

  return {
    version: '1',
    prepare() {
      for (const { at } of limited) mkdirSync(`${at}/${parent}`, { recursive: true });
      for (const { at, controllers } of others) {
        for (const path of [`${at}/${parent}`, `${at}/${parent}/${shared}`]) {
          mkdirSync(path, { recursive: true });
          // Without these two no process can enter.
          if (controllers.includes('cpuset'))
            for (const file of ['cpuset.cpus', 'cpuset.mems']) inherit(`${path}/..`, path, file);
        }
        if (controllers.includes('devices')) allowDevices(`${at}/${parent}/${shared}`);
      }
    },
    of(name) {
      const of = (where: string) => `${where}/${parent}/${name}`;
      const [memory, cpu, pids] = [of(memoryAt), of(cpuAt), of(pidsAt)];
      const swapless = (bytes: number): Step => [
        'write',
        `${memory}/memory.memsw.limit_in_bytes`,
        `${bytes}`,
      ];
      const resident = (bytes: number): Step => ['write', `${memory}/memory.limit_in_bytes`, `${bytes}`];
      const sockets = (bytes: number): Step => [
        'try',
        `${memory}/memory.kmem.tcp.limit_in_bytes`,
        `${socketBytesFor(bytes)}`,
      ];
      const limit = ({ cpus, pids: count }: SandboxLimits): Step[] => [
        ['write', `${cpu}/cpu.shares`, `${sharesFor(cpus)}`],
        ['write', `${cpu}/cpu.cfs_quota_us`, `${quotaFor(cpus)}`],
        ['write', `${pids}/pids.max`, `${count}`],
      ];
      return {
        enter: [
          ...limited.map(({ at }) => `v1 ${of(at)}/tasks`),
          ...others.map(({ at }) => `v1 ${at}/${parent}/${shared}/tasks`),
        ],
        make: ({ memoryBytes }) => [
          ...limited.map(({ at }): Step => ['folder', of(at), '755']),
          resident(memoryBytes),
          ...(countsSwap ? [swapless(memoryBytes)] : []),
        ],
        limit: (limits) => [sockets(limits.memoryBytes), ...limit(limits)],
        // The kernel wants the limit of both together never below that of memory.
        update: (from, to) => [
          ...(to.memoryBytes > from.memoryBytes && countsSwap ? [swapless(to.memoryBytes)] : []),
          resident(to.memoryBytes),
          ...(to.memoryBytes <= from.memoryBytes && countsSwap ? [swapless(to.memoryBytes)] : []),
          sockets(to.memoryBytes),
          ...limit(to),
        ],
        end: ['empty', `${pids}/cgroup.procs`],
        remove: [
          ['empty', `${pids}/cgroup.procs`],
          ...(byRuntime ? hierarchies : limited).map(({ at }): Step => ['rmdir', of(at)]),
        ],
        byRuntime: (limits) => asResources(parent, name, limits),
        oomKills: () => counted(`${memory}/memory.oom_control`),
      };
    },
  };
}

function inherit(from: string, to: string, file: string): void {
  if (readFileSync(`${to}/${file}`, 'utf8').trim() !== '') return;
  writeFileSync(`${to}/${file}`, readFileSync(`${from}/${file}`, 'utf8').trim());
}

/** As the Engine allows them: what /dev of a container has. (No program in a sandbox can make a device anyway.) */
const devices = ['1:3', '1:5', '1:7', '1:8', '1:9', '5:0', '5:2', '136:*'];

function allowDevices(cgroup: string): void {
  // Once only: other workers' sandboxes may be in it, and would have none for a moment.
  if (readFileSync(`${cgroup}/devices.list`, 'utf8').startsWith('a'))
    writeFileSync(`${cgroup}/devices.deny`, 'a');
  for (const one of devices) writeFileSync(`${cgroup}/devices.allow`, `c ${one} rwm`);
}

/**
 * By the kernel's documentation (Documentation/admin-guide/cgroup-v2.rst). The shares of v1 are converted as the runtimes do
 * (2…262144 to 1…10000).
 */
function cgroupsV2(parent: string): Cgroups {
  const weightFor = (cpus: number) => 1 + Math.floor(((sharesFor(cpus) - 2) * 9_999) / 262_142);
  return {
    version: '2',
    prepare() {
      mkdirSync(`${root}/${parent}`, { recursive: true });
      for (const path of [root, `${root}/${parent}`])
        writeFileSync(`${path}/cgroup.subtree_control`, needed.map((name) => `+${name}`).join(' '));
    },
    of(name) {
      const path = `${root}/${parent}/${name}`;
      const memory = (bytes: number): Step[] => [
        ['write', `${path}/memory.max`, `${bytes}`],
        // It is not there where the kernel has no swap; then there is nothing to be limited.
        ['try', `${path}/memory.swap.max`, '0'],
      ];
      const limit = ({ cpus, pids }: SandboxLimits): Step[] => [
        ['write', `${path}/cpu.weight`, `${weightFor(cpus)}`],
        ['write', `${path}/cpu.max`, `${quotaFor(cpus)} ${periodUs}`],
        ['write', `${path}/pids.max`, `${pids}`],
      ];
      return {
        enter: [`v2 ${path}`],
        make: ({ memoryBytes }) => [['folder', path, '755'], ...memory(memoryBytes)],
        limit,
        update: (_, to) => [...memory(to.memoryBytes), ...limit(to)],
        end: ['empty', `${path}/cgroup.procs`],
        remove: [
          ['empty', `${path}/cgroup.procs`],
          ['rmdir', path],
        ],
        byRuntime: (limits) => asResources(parent, name, limits),
        oomKills: () => counted(`${path}/memory.events`),
      };
    },
  };
}

async function counted(file: string): Promise<number> {
  return Number(/^oom_kill (\d+)$/m.exec(await readFile(file, 'utf8'))?.[1] ?? 0);
}
