import { burstOfAll, newOfAllPerSecond } from '../../../shared/egress-share.ts';
import type { RuleSet } from './rule-set.ts';

/** Interfaces of runs and services with egress: from these the public internet may be reached. */
export const egressPrefix = 'rle';
/** Those of them that the worker makes itself. No bridge of the Engine's is named like this: what follows its prefix is hexadecimal. */
export const ownPrefix = `${egressPrefix}o`;
/** Bridges of services without egress: from these nothing may be reached. */
export const closedPrefix = 'rls';
/** Every interface whose name begins like this is ours, and no other. */
const [egress, closed] = [`${egressPrefix}+`, `${closedPrefix}+`];
const bridges = [egress, closed];
const own = `${ownPrefix}+`;

/**
 * What is not the public internet (IANA's special-purpose IPv4 registry), and Azure's metadata service, which has a public address
 * (168.63.129.16). The metadata services of other clouds are in 169.254.0.0/16 and 100.64.0.0/10.
 */
export const closedRanges = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

export const forwardChain = 'RUNLET-EGRESS';
export const inputChain = 'RUNLET-EGRESS-INPUT';
export const outputChain = 'RUNLET-EGRESS-OUTPUT';
/** New connections of a container come here last: those above its limits are dropped. */
export const newChain = 'RUNLET-EGRESS-NEW';
/** What nobody has refused passes here, in a network that the worker has made itself. */
export const acceptChain = 'RUNLET-EGRESS-ACCEPT';
const chains = [forwardChain, inputChain, outputChain, newChain];

/** The jump by which Docker has the rules of DOCKER-USER come before its own. */
export const dockerUserJump = '-A FORWARD -j DOCKER-USER';

/** What is wanted of the rules, as far as the kernel has the matches for it. */
export type Bounds = {
  /** Connections that one container may have at once; `null`: no limit, where the kernel lacks the match for it. */
  connections: number | null;
  /** Users of this machine who may call containers by their addresses; `null`: all, where the kernel cannot tell users apart. */
  callers: number[] | null;
};

const hookInto = (chain: string, target: string) => ({
  chain,
  rules: bridges.flatMap((bridge) => [
    `-A ${chain} -i ${bridge} -j ${target}`,
    `-A ${chain} -o ${bridge} -j ${target}`,
  ]),
});
const inputHook = {
  chain: 'INPUT',
  rules: bridges.map((bridge) => `-A INPUT -i ${bridge} -j ${inputChain}`),
};
const outputHook = {
  chain: 'OUTPUT',
  rules: bridges.map((bridge) => `-A OUTPUT -o ${bridge} -j ${outputChain}`),
};

/**
 * Answers of a container to whoever opened a connection to it: this machine, or others through a published port. ESTABLISHED alone would
 * not do: it also matches connections that the container opened.
 */
const answers = '-m conntrack --ctstate ESTABLISHED --ctdir REPLY';

/**
 * IPv4. A container may send answers; with egress also to port 53 of the resolvers and to global addresses; nothing else, and nothing to
 * this machine. A container may be sent answers, what comes through its published ports, and what its callers on this machine send.
 * `forwardHook`: DOCKER-USER where it exists, as Docker puts its own rules before those of FORWARD; else FORWARD.
 * `tracked`: how many connections the machine keeps track of, as far as it says.
 */
export function ipv4Rules(
  resolvers: string[],
  forwardHook: string,
  bounds: Bounds,
  tracked: number | null,
): RuleSet {
  const dns = (chain: string, verdict: string) =>
    resolvers.flatMap((address) =>
      ['udp', 'tcp'].flatMap((protocol) =>
        [newChain, verdict].map(
          (target) => `-A ${chain} -d ${address}/32 -p ${protocol} -m ${protocol} --dport 53 -j ${target}`,
        ),
      ),
    );
  const outOf = bridges.map((bridge) => `-A ${forwardChain} -i ${bridge}`);
  const into = bridges.map((bridge) => `-A ${forwardChain} -o ${bridge}`);
  return {
    table: 'filter',
    chains: [...chains, acceptChain],
    rules: [
      ...outOf.map((rule) => `${rule} ${answers} -j RETURN`),
      ...into.map((rule) => `${rule} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN`),
      `-A ${forwardChain} -i ${closed} -j DROP`,
      // From one container to another, also through a published port.
      ...bridges.map((bridge) => `-A ${forwardChain} -i ${egress} -o ${bridge} -j DROP`),
      ...into.map((rule) => `${rule} -m conntrack --ctstate DNAT -j RETURN`),
      ...into.map((rule) => `${rule} -j DROP`),
      ...dns(forwardChain, 'RETURN'),
      ...closedRanges.map((range) => `-A ${forwardChain} -d ${range} -j DROP`),
      `-A ${forwardChain} -j ${newChain}`,
      `-A ${inputChain} ${answers} -j ACCEPT`,
      `-A ${inputChain} -i ${closed} -j DROP`,
      ...dns(inputChain, 'ACCEPT'),
      `-A ${inputChain} -j DROP`,
      ...fromThisMachine(bounds),
      ...limitsOnNew(bounds, tracked),
      ...accepted,
    ],
    hooks: [hookInto(forwardHook, forwardChain), inputHook, outputHook, acceptHook(forwardHook)],
  };
}

/**
 * Docker makes DROP the policy of FORWARD, and adds rules that let its own bridges through. These do that for the worker's own networks.
 * They are no verdict of our chain in DOCKER-USER, so that what an operator forbids to containers there is forbidden to these, too.
 */
const accepted = [
  `-A ${acceptChain} -i ${own} ! -o ${egress} -j ACCEPT`,
  `-A ${acceptChain} -o ${own} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
];

/** Behind DOCKER-USER, and so before what another tool refuses at the end of FORWARD, as Docker's own; without Docker's chain at the end. */
const acceptHook = (forwardHook: string) => ({
  chain: 'FORWARD',
  rules: [`-A FORWARD -i ${own} -j ${acceptChain}`, `-A FORWARD -o ${own} -j ${acceptChain}`],
  behind: forwardHook === 'FORWARD' ? null : dockerUserJump,
});

/**
 * What this machine itself sends to a container. Only the gateway asks for a service's key: so other accounts on this machine are refused,
 * except at published ports.
 */
function fromThisMachine({ callers }: Bounds): string[] {
  if (callers === null) return [];
  return [
    `-A ${outputChain} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN`,
    `-A ${outputChain} -m conntrack --ctstate DNAT -j RETURN`,
    ...callers.map((uid) => `-A ${outputChain} -m owner --uid-owner ${uid} -j RETURN`),
    `-A ${outputChain} -j REJECT --reject-with icmp-port-unreachable`,
  ];
}

/**
 * New connections a second; the first `connections` of them may come at once (the burst). A hashlimit table that exists under a name keeps
 * the rate that it was made with, so the rate is part of the name.
 */
const newPerSecond = (connections: number) => Math.max(1, Math.floor(connections / 16));

/**
 * Each connection has an entry in the machine's connection table, and once that is full nobody on the machine can connect. Only the first
 * packet of a connection is checked: its entry is confirmed when that packet leaves, and a packet that is dropped here gets no entry. The
 * rate limit comes first for two reasons: connlimit keeps a note of each packet that it checks, also of those that it refuses (64 bytes,
 * freed a few at a time), and it does not count closed TCP connections, whose entries stay for two minutes.
 * A rate for all sandboxes together comes last, so that refused connections do not use it up. It is no connlimit: connlimit goes through
 * everything that it counts for each new connection (measured: 1 to 2 ms with 20,000, for the whole machine). How many may be open
 * follows from how many sandboxes there may be (bridges.ts).
 */
function limitsOnNew({ connections }: Bounds, tracked: number | null): string[] {
  if (connections === null) return [];
  const rate = `--hashlimit-above ${newPerSecond(connections)}/sec --hashlimit-burst ${connections}`;
  return [
    `-A ${newChain} -m conntrack --ctstatus CONFIRMED -j RETURN`,
    `-A ${newChain} -m hashlimit ${rate} --hashlimit-mode srcip --hashlimit-name runlet-each-${connections} --hashlimit-htable-expire 30000 -j DROP`,
    `-A ${newChain} -m connlimit --connlimit-above ${connections} --connlimit-mask 32 --connlimit-saddr -j DROP`,
    ...(tracked === null ? [] : [`-A ${newChain} -m hashlimit ${rateOfAll(tracked)} -j DROP`]),
  ];
}

function rateOfAll(tracked: number): string {
  // hashlimit keeps a rate as the time between two, in whole microseconds, and so prints another one than it was given, for rates above 1,000.
  const between = Math.ceil(1_000_000 / newOfAllPerSecond(tracked));
  const rate = Math.floor(1_000_000 / between);
  return `--hashlimit-above ${rate}/sec --hashlimit-burst ${burstOfAll(tracked)} --hashlimit-name runlet-all-${rate}`;
}

/** IPv6: nothing passes. The networks have no IPv6; should that ever change, this still holds. */
export function ipv6Rules(): RuleSet {
  return {
    table: 'filter',
    chains,
    rules: [forwardChain, inputChain, outputChain].map((chain) => `-A ${chain} -j DROP`),
    hooks: [hookInto('FORWARD', forwardChain), inputHook, outputHook],
  };
}
