import { posix } from 'node:path';
import { networkSysctls } from '../../../engine/kernel-settings.ts';
import { initPath, type SandboxSpec } from '../../spec.ts';
import { userText } from '../../users/run-users.ts';

/** A file of this machine, read-only at a path of the sandbox. */
export type BoundFile = { source: string; path: string };

/** What the sandbox's machine has to say, besides the spec. */
export type BundleParts = {
  /** The folder that becomes its root. */
  root: string;
  /** The folder that has the init. */
  initFolder: string;
  files: BoundFile[];
  /** A network namespace that is there; `null`: one of its own, with nothing but a loopback. */
  networkNamespace: string | null;
  /** The kernel's version, as of `uname -r`. */
  kernel: string;
  /** A profile in the format of the OCI runtime specification, or such a one compiled by crun, in base64. */
  seccomp: { profile: object } | { compiled: string };
  /** An AppArmor profile that is loaded. */
  apparmorProfile: string | null;
  /** The cgroup that the runtime makes and enters by itself; `null`: it is started in its cgroup. */
  cgroup: { path: string; resources: object } | null;
};

type Mount = { destination: string; type: string; source: string; options: string[] };

/** As Docker Engine masks them (moby's oci/defaults.go); what a kernel does not have is left out by the runtimes. */
const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** As Docker Engine sets them: nobody has privileges in a sandbox, and its ports are its own. */
const portsForAll = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

/** crun takes a compiled filter from this annotation, and does not look at the profile then (1.8 and later). */
const compiledSeccomp = 'run.oci.seccomp_bpf_data';

const kernelMounts: Mount[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['ro', 'nosuid', 'noexec', 'nodev'],
  },
  {
    destination: '/dev/mqueue',
    type: 'mqueue',
    source: 'mqueue',
    options: ['nosuid', 'noexec', 'nodev'],
  },
];

/** The runtime's config.json for a sandbox. Pure. */
export function bundleFor(spec: SandboxSpec, parts: BundleParts): object {
  const inGvisor = spec.isolation === 'gvisor';
  const { user } = spec.lease;
  const capabilities = inGvisor ? ['CAP_KILL', 'CAP_SETGID', 'CAP_SETPCAP', 'CAP_SETUID'] : [];
  const compiled = 'compiled' in parts.seccomp ? parts.seccomp.compiled : undefined;
  const profile = 'profile' in parts.seccomp ? parts.seccomp.profile : undefined;
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      // As the Engine does: without the group itself among them, a file that is closed to a group would be open to it (CVE-2022-36109).
      user: inGvisor ? { uid: 0, gid: 0 } : { uid: user.uid, gid: user.gid, additionalGids: [user.gid] },
      // In gVisor the init is root of the sandbox's own kernel (infra/sandbox-init/README.md).
      args: [initPath, ...(inGvisor ? [userText(user)] : [])],
      env: [],
      cwd: spec.workdir,
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        inheritable: [],
        permitted: capabilities,
        ambient: [],
      },
      rlimits: spec.rlimits.map(({ name, soft, hard }) => ({
        type: `RLIMIT_${name.toUpperCase()}`,
        soft,
        hard,
      })),
      noNewPrivileges: true,
      oomScoreAdj: spec.oomScoreAdj,
      ...(parts.apparmorProfile !== null && { apparmorProfile: parts.apparmorProfile }),
    },
    root: { path: parts.root, readonly: !spec.writable },
    hostname: spec.hostname,
    mounts: mountsOf(spec, parts),
    ...(compiled !== undefined && !inGvisor && { annotations: { [compiledSeccomp]: compiled } }),
    linux: {
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
        { type: 'network', ...(parts.networkNamespace !== null && { path: parts.networkNamespace }) },
      ],
      ...(parts.cgroup !== null && { cgroupsPath: parts.cgroup.path, resources: parts.cgroup.resources }),
      sysctl: inGvisor ? {} : { ...portsForAll, ...networkSysctls(parts.kernel) },
      maskedPaths,
      readonlyPaths,
      ...(profile !== undefined && !inGvisor && { seccomp: profile }),
    },
  };
}

function mountsOf(spec: SandboxSpec, parts: BundleParts): Mount[] {
  const bind = ({ source, path }: BoundFile): Mount => ({
    destination: path,
    type: 'bind',
    source,
    options: ['bind', 'ro', 'rprivate'],
  });
  const tmpfs = spec.folders.map(
    ({ path, sizeBytes, inodes, uid, gid }): Mount => ({
      destination: path,
      type: 'tmpfs',
      source: 'tmpfs',
      options: [
        ...['rw', 'exec', 'nosuid', 'nodev'],
        ...[`size=${sizeBytes}`, `nr_inodes=${inodes}`, 'mode=1777', `uid=${uid}`, `gid=${gid}`],
      ],
    }),
  );
  const all: Mount[] = [
    ...kernelMounts,
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${spec.shmBytes}`],
    },
    ...tmpfs,
    bind({ source: parts.initFolder, path: posix.dirname(initPath) }),
    ...parts.files.map(bind),
  ];
  // What lies deeper is mounted later. The sort is stable, and the kernel's own come first.
  return all.sort((a, b) => depth(a.destination) - depth(b.destination));
}

const depth = (path: string) => path.split('/').filter((part) => part !== '').length;
