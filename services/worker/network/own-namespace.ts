import { existsSync } from 'node:fs';
import { dotted, rangeOf } from './addresses.ts';
import { run, runScript } from './command.ts';

/** A network namespace with one interface, whose other end is this machine's. */
export type OwnNamespace = {
  /** Of the namespace: what `ip netns` shows. */
  name: string;
  /** Of this machine's end. */
  interfaceName: string;
};

/** Where iproute2 keeps namespaces by name. */
const folder = '/run/netns';
const inside = 'eth0';

export const pathOf = ({ name }: Pick<OwnNamespace, 'name'>): string => `${folder}/${name}`;

const isThere = (one: OwnNamespace): boolean => existsSync(pathOf(one)) || hasInterface(one);

const hasInterface = ({ interfaceName }: OwnNamespace) => existsSync(`/sys/class/net/${interfaceName}`);

/** The subnet has the place of the Engine's bridges: the first address is this machine's. */
export function addressesIn(subnet: string): { gateway: string; address: string } {
  const { first } = rangeOf(subnet);
  return { gateway: dotted(first + 1), address: dotted(first + 2) };
}

/**
 * What the Engine sets in its containers' namespaces: no IPv6, ports and pings without privileges, and no send times with data
 * (engine/docker/sysctls.ts). A kernel may lack a setting.
 */
const sysctls = {
  'ipv6/conf/all/disable_ipv6': '1',
  'ipv6/conf/default/disable_ipv6': '1',
  'ipv4/ping_group_range': '0 2147483647',
  'ipv4/ip_unprivileged_port_start': '0',
  'core/tstamp_allow_data': '0',
};

const setSysctls = Object.entries(sysctls).map(
  ([name, value]) => `[ ! -e ${name} ] || echo ${value} > ${name} || exit`,
);

/** Its shell is the one of a batch (command.ts): so it starts four processes. */
const script = `
outside=$1 path=$2 inside=$3 record=$4 name=$5 interface=$6
ip -batch - <<END || exit
$outside
END
nsenter --net="$path" sh -c 'cd /proc/sys/net || exit
${setSysctls.join('\n')}
exec ip -batch -' <<END || exit
$inside
END
# Whoever began this may be gone, and another have removed what there was by then.
[ -L "$record" ] || { ip link del "$interface"; ip netns del "$name"; exit 1; }
`;

/**
 * Makes all of it. Returns false when the subnet is somebody else's already. If it throws, or returns false, a part of it may be there.
 * `record`: a file that stands for whose it is. If it is gone when all is made, so is all of that.
 */
export async function make(one: OwnNamespace, subnet: string, record: string): Promise<boolean> {
  const { name, interfaceName } = one;
  const { gateway, address } = addressesIn(subnet);
  const bits = subnet.split('/')[1];
  const outsideLines = [
    `netns add ${name}`,
    `link add ${interfaceName} type veth peer name ${inside} netns ${name}`,
    `address add ${gateway}/32 dev ${interfaceName}`,
    `link set ${interfaceName} up`,
    // The kernel has only one such route: a claim on the subnet that no other worker makes at the same time. (An address with a prefix
    // would bring a second one.)
    `route add ${subnet} dev ${interfaceName}`,
  ];
  const insideLines = [
    'link set lo up',
    `address add ${address}/${bits} dev ${inside}`,
    `link set ${inside} up`,
    `route add default via ${gateway}`,
  ];
  const args = [outsideLines.join('\n'), pathOf(one), insideLines.join('\n'), record, name, interfaceName];
  try {
    await runScript('making a network namespace', script, args);
    return true;
  } catch (error) {
    if (/File exists/.test((error as Error).message)) return false;
    throw error;
  }
}

/** Removes what there is of it. */
export async function remove(one: OwnNamespace): Promise<void> {
  // This machine's end takes the other with it at once. A namespace alone would first wait for its last process.
  const lines = [
    ...(hasInterface(one) ? [`link del ${one.interfaceName}`] : []),
    ...(existsSync(pathOf(one)) ? [`netns del ${one.name}`] : []),
  ];
  if (lines.length === 0) return;
  await run('ip', ['-force', '-batch', '-'], lines.join('\n')).catch((error) => {
    // Another may have removed it at the same time.
    if (isThere(one)) throw error;
  });
}
