import type { HostFacts } from '../../../shared/contracts/host-facts.ts';
import type { Worker } from '../../../shared/contracts/worker.ts';
import { sandboxesWithEgress } from '../../../shared/egress-share.ts';
import { hasSentDataSettingEach } from '../../../shared/sent-data.ts';
import { type Check, ok, skipped, warning } from './check.ts';

/** If fewer runs and services with egress fit at a time, they soon have to wait for one another. */
const fewWithEgress = 16;
/** The number of processes in sixteen runs, if each has the most that may be asked for by default (RUNLET_MAX_PIDS). */
const fewPids = 16 * 4096;

/** Checks what a worker's machine does not protect from the programs that run on it. One line for each finding. */
export function checkHost(name: string, { host, engine, egress }: Worker): Check[] {
  const cgroups = checkCgroups(`${name}: cgroups`, engine.cgroupVersion, host !== null);
  if (host === null)
    return [
      cgroups,
      skipped(`${name}: host`, 'The worker cannot see it (a remote engine, or an older worker)'),
    ];
  return [
    cgroups,
    ...checkFirewall(name, host, egress),
    checkCorePattern(`${name}: core dumps`, host.corePattern),
    checkUserNamespaces(`${name}: user namespaces`, host.userNamespaces),
    checkSwap(`${name}: swap`, host.swap),
    checkPids(`${name}: processes`, host.pidMax),
    checkSentData(`${name}: sent data`, engine.kernel, host.sentDataReturned),
    checkKernelLog(`${name}: kernel log`, host.kernelLogRestricted),
  ];
}

function checkCgroups(name: string, version: string, isSeen: boolean): Check {
  if (version === '2') return ok(name, 'cgroup v2');
  const remedy =
    'Boot the engine’s machine with cgroup v2: systemd.unified_cgroup_hierarchy=1 on the kernel’s command line.';
  const detail = isSeen
    ? 'cgroup v1: what its limits do not count (sockets’ buffers, page tables) the worker bounds by itself where it can'
    : 'cgroup v1, and this worker is not on the engine’s machine: memory of sockets’ buffers is not held to a run’s limit';
  return warning(name, detail, remedy);
}

function checkFirewall(name: string, { firewall, conntrackMax }: HostFacts, egress: boolean): Check[] {
  const local = `${name}: local users`;
  const connections = `${name}: connections`;
  if (firewall.problem !== null)
    return [
      warning(
        `${name}: firewall`,
        `There can be no services and no egress: ${firewall.problem}`,
        'Give the worker iptables and the right to use it (root, or CAP_NET_ADMIN), in its engine’s network.',
      ),
    ];
  return [
    firewall.localUsersKeptOut
      ? ok(local, 'They reach no service’s container by its own address')
      : warning(
          local,
          'Whoever has an account on this machine reaches services’ containers without a key: the kernel cannot tell users apart',
          'Load the kernel’s owner match (modprobe xt_owner), or let nobody on this machine whom you do not trust.',
        ),
    ...(egress ? [checkConnections(connections, firewall.connections, conntrackMax)] : []),
  ];
}

function checkConnections(name: string, each: number | null, most: number | null): Check {
  if (each === null)
    return warning(
      name,
      'One run with egress can fill the machine’s table of connections: nobody on it opens one then',
      'Load the kernel’s matches (modprobe xt_connlimit xt_hashlimit), or set RUNLET_ALLOW_EGRESS=false.',
    );
  const detail = `${each} for each run or service with egress`;
  if (most === null) return ok(name, detail);
  const atOnce = sandboxesWithEgress(each, most);
  const of = `${detail}, and ${atOnce} of them at a time: three quarters of the ${most} that the machine keeps track of (nf_conntrack_max) at the most`;
  if (atOnce >= fewWithEgress) return ok(name, of);
  let wanted = 2;
  while (sandboxesWithEgress(each, wanted) < fewWithEgress) wanted *= 2;
  return warning(
    name,
    `${of}; more wait for their turn`,
    `sysctl -w net.netfilter.nf_conntrack_max=${wanted}, or a smaller RUNLET_EGRESS_CONNECTIONS.`,
  );
}

function checkCorePattern(name: string, pattern: string | null): Check {
  if (pattern === null) return skipped(name, 'The kernel does not say');
  if (!pattern.startsWith('|')) return ok(name, `core_pattern "${pattern}" calls no program`);
  return warning(
    name,
    `core_pattern calls ${pattern.slice(1).split(' ')[0]} as root, outside of any container, for a program that crashes; only its RLIMIT_CORE of 1 keeps a sandbox from it`,
    'sysctl -w kernel.core_pattern=core, unless crashes of this machine’s own programs are to be collected.',
  );
}

function checkUserNamespaces(name: string, who: HostFacts['userNamespaces']): Check {
  if (who === null) return skipped(name, 'The kernel does not say');
  if (who === 'none') return ok(name, 'There are none');
  if (who === 'restricted') return ok(name, 'Not for everybody; in sandboxes for nobody (seccomp)');
  return warning(
    name,
    'Everybody on the machine may make them, in sandboxes nobody: the seccomp profile alone keeps that part of the kernel from programs',
    'sysctl -w user.max_user_namespaces=0 (Debian, Ubuntu: kernel.unprivileged_userns_clone=0), unless rootless containers or browsers run here.',
  );
}

/** Where the kernel can, the worker sets this for each sandbox (its `networkSysctls`). */
function checkSentData(name: string, kernel: string, returned: boolean | null): Check {
  if (hasSentDataSettingEach(kernel)) return ok(name, 'Each sandbox has a setting of its own');
  if (returned !== true) return ok(name, 'No program is sent back what it has sent');
  return warning(
    name,
    'A program that asks when its data were sent gets them back, into a queue that no memory limit counts',
    'sysctl -w net.core.tstamp_allow_data=0, or a kernel from 6.13 on.',
  );
}

function checkSwap(name: string, swap: HostFacts['swap']): Check {
  if (swap === null) return skipped(name, 'The kernel does not say');
  if (swap !== 'not_counted')
    return ok(name, swap === 'none' ? 'There is none' : 'It counts as a run’s memory');
  return warning(
    name,
    'The kernel does not count it: a run may have more memory than its limit, swapped out',
    'Boot with swapaccount=1 on the kernel’s command line, or with cgroup v2; or swapoff -a.',
  );
}

function checkPids(name: string, most: number | null): Check {
  if (most === null) return skipped(name, 'The kernel does not say');
  if (most >= fewPids) return ok(name, `${most} on the whole machine (kernel.pid_max)`);
  return warning(
    name,
    `${most} on the whole machine (kernel.pid_max): few runs with as many as they may ask for take them all`,
    'sysctl -w kernel.pid_max=4194304, or a smaller RUNLET_MAX_PIDS.',
  );
}

function checkKernelLog(name: string, restricted: boolean | null): Check {
  if (restricted === null) return skipped(name, 'The kernel does not say');
  if (restricted) return ok(name, 'For root alone');
  return warning(
    name,
    'Everybody on the machine may read it, with the kernel’s addresses; in sandboxes nobody (seccomp)',
    'sysctl -w kernel.dmesg_restrict=1',
  );
}
