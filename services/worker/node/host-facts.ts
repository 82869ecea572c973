import { existsSync, readFileSync } from 'node:fs';
import type { HostFacts } from '../../../shared/contracts/host-facts.ts';
import type { Firewall } from '../network/firewall.ts';

/**
 * How the kernel, which runs and services share with this worker, is set up, for `runlet doctor`. It is read from /proc at each call, since
 * settings can change while a worker lives. `root`: where /proc and /sys are.
 */
export function readHostFacts(firewall: HostFacts['firewall'], root = '/'): HostFacts {
  const text = (path: string): string | null => {
    try {
      return readFileSync(`${root}${path}`, 'utf8').trim();
    } catch {
      return null;
    }
  };
  const number = (path: string): number | null => {
    const found = Number.parseInt(text(path) ?? '', 10);
    return Number.isSafeInteger(found) ? found : null;
  };
  const flag = (path: string): boolean | null => {
    const found = number(path);
    return found === null ? null : found !== 0;
  };
  return {
    conntrackMax: number('proc/sys/net/netfilter/nf_conntrack_max'),
    corePattern: text('proc/sys/kernel/core_pattern'),
    userNamespaces: userNamespaces(
      number('proc/sys/user/max_user_namespaces'),
      // The first is Debian's own switch, the second Ubuntu's.
      flag('proc/sys/kernel/unprivileged_userns_clone'),
      flag('proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
    ),
    swap: swap(text('proc/meminfo') ?? '', existsSync(`${root}${memsw}`), existsSync(`${root}${memoryV1}`)),
    pidMax: number('proc/sys/kernel/pid_max'),
    ptyMax: number('proc/sys/kernel/pty/max'),
    sentDataReturned: flag('proc/sys/net/core/tstamp_allow_data'),
    kernelLogRestricted: flag('proc/sys/kernel/dmesg_restrict'),
    firewall,
  };
}

const memoryV1 = 'sys/fs/cgroup/memory';
/** It exists only where the kernel counts swap (`swapaccount=1`). cgroup v2 always does. */
const memsw = `${memoryV1}/memory.memsw.limit_in_bytes`;

function userNamespaces(
  max: number | null,
  unprivileged: boolean | null,
  apparmorRestricts: boolean | null,
): HostFacts['userNamespaces'] {
  if (max === null) return null;
  if (max === 0) return 'none';
  return unprivileged === false || apparmorRestricts === true ? 'restricted' : 'everybody';
}

function swap(meminfo: string, counted: boolean, isV1: boolean): HostFacts['swap'] {
  const total = /^SwapTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  if (total === undefined) return null;
  if (total === '0') return 'none';
  return isV1 && !counted ? 'not_counted' : 'counted';
}

/** Sets up the firewall, and says which of its rules hold. */
export async function firewallFacts(firewall: Firewall): Promise<HostFacts['firewall']> {
  const problem = await firewall.ensure().then(
    () => null,
    (error: Error) => error.message,
  );
  const bounds = firewall.bounds();
  return {
    problem,
    connections: problem === null ? (bounds?.connections ?? null) : null,
    localUsersKeptOut: problem === null && bounds !== undefined && bounds.callers !== null,
  };
}
