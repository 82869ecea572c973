/** Of bridges out of which the public internet may be reached: of runs and services with egress. */
export const egressPrefix = 'rle';
/** Of bridges out of which nothing may be reached: of other services. */
export const closedPrefix = 'rls';
/** Every interface whose name begins so is ours, and nothing else is. */
const [egress, closed] = [`${egressPrefix}+`, `${closedPrefix}+`];
const bridges = [egress, closed];

/**
 * What is not the public internet (IANA's special-purpose IPv4 registry), and one public address that is a cloud's
 * metadata service: 168.63.129.16 of Azure. Others' lie in 169.254.0.0/16 and 100.64.0.0/10.
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
/** What a container begins passes it last: too much of it is dropped there. */
export const newChain = 'RUNLET-EGRESS-NEW';
const ownChains = [forwardChain, inputChain, outputChain, newChain];

/** Rules in the form in which `iptables -S` prints them, so that what is there can be compared with what should be. */
export type RuleSet = {
  /** Of our own chains. */
  rules: string[];
  /** First in a chain of the system's: the jumps to ours. */
  hooks: { chain: string; rules: string[] }[];
};

export type Bounds = {
  /** Connections that one container may have at once; `null`: no bound, where the kernel has no match for it. */
  connections: number | null;
  /** Users of this machine who may call containers by their own addresses; `null`: all, where the kernel does not tell them apart. */
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
 * Answers of a container to who has opened a connection to it: this machine, or others by a published port. Not
 * ESTABLISHED alone: that is also what a container itself began.
 */
const answers = '-m conntrack --ctstate ESTABLISHED --ctdir REPLY';

/**
 * IPv4. From a container: answers; with egress also to the resolvers' port 53 and to global addresses; nowhere else, to
 * this machine neither. To a container: answers, through the ports that it publishes, and from its callers here.
 * `forwardHook`: DOCKER-USER where there is one, as Docker puts its own rules before those of FORWARD; else FORWARD.
 */
export function ipv4Rules(resolvers: string[], forwardHook: string, bounds: Bounds): RuleSet {
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
    rules: [
      ...outOf.map((rule) => `${rule} ${answers} -j RETURN`),
      ...into.map((rule) => `${rule} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN`),
      `-A ${forwardChain} -i ${closed} -j DROP`,
      // From one to another, also by a port that it publishes.
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
      ...fromHere(bounds),
      ...ofNew(bounds),
    ],
    hooks: [hookInto(forwardHook, forwardChain), inputHook, outputHook],
  };
}

/**
 * What this machine itself sends to a container. A service's key is asked for by the gateway alone: whoever else has an account
 * here is refused, but for ports that are published.
 */
function fromHere({ callers }: Bounds): string[] {
  if (callers === null) return [];
  return [
    `-A ${outputChain} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN`,
    `-A ${outputChain} -m conntrack --ctstate DNAT -j RETURN`,
    ...callers.map((uid) => `-A ${outputChain} -m owner --uid-owner ${uid} -j RETURN`),
    `-A ${outputChain} -j REJECT --reject-with icmp-port-unreachable`,
  ];
}

/** The same number at the start, and then a sixteenth of it each second. */
const newPerSecond = (connections: number) => Math.max(1, Math.floor(connections / 16));

/**
 * Each connection has an entry in the connection table of the machine, which is full for everybody when it is full. Only its first
 * packet is looked at: the entry is confirmed when that leaves, and one that is dropped here has none. The rate comes first, for two
 * reasons: connlimit notes each packet that it sees, also those that it refuses (64 bytes, freed a few at a time), and does not count
 * TCP connections that are closed, whose entries stay for two minutes.
 */
function ofNew({ connections }: Bounds): string[] {
  if (connections === null) return [];
  const rate = `--hashlimit-above ${newPerSecond(connections)}/sec --hashlimit-burst ${connections}`;
  return [
    `-A ${newChain} -m conntrack --ctstatus CONFIRMED -j RETURN`,
    `-A ${newChain} -m hashlimit ${rate} --hashlimit-mode srcip --hashlimit-name runlet-egress --hashlimit-htable-expire 30000 -j DROP`,
    `-A ${newChain} -m connlimit --connlimit-above ${connections} --connlimit-mask 32 --connlimit-saddr -j DROP`,
  ];
}

/** IPv6: nothing at all. The networks have none; this holds should that ever change. */
export function ipv6Rules(): RuleSet {
  return {
    rules: [forwardChain, inputChain, outputChain].map((chain) => `-A ${chain} -j DROP`),
    hooks: [hookInto('FORWARD', forwardChain), inputHook, outputHook],
  };
}

/** Whether everything is in its place. `listing`: the lines of `iptables -S`. */
export function isInPlace(set: RuleSet, listing: string[]): boolean {
  const of = (chain: string) => listing.filter((line) => line.startsWith(`-A ${chain} `));
  const same = (found: string[], wanted: string[]) => wanted.every((rule, index) => found[index] === rule);
  const own = ownChains.every((chain) => {
    const wanted = set.rules.filter((rule) => rule.startsWith(`-A ${chain} `));
    const found = of(chain);
    return found.length === wanted.length && same(found, wanted);
  });
  return own && set.hooks.every(({ chain, rules }) => same(of(chain), rules));
}

/** Input for `iptables-restore --noflush`: one transaction that fills our chains anew and sets the jumps to them. */
export function restoreScript(set: RuleSet, listing: string[]): string {
  const hooks = set.hooks.flatMap(({ chain, rules }) => [
    ...listing.filter((line) => rules.includes(line)).map((line) => line.replace('-A', '-D')),
    ...rules.map((rule, index) => rule.replace(`-A ${chain}`, `-I ${chain} ${index + 1}`)),
  ]);
  return [
    '*filter',
    ...ownChains.map((chain) => `:${chain} - [0:0]`),
    ...set.rules,
    ...hooks,
    'COMMIT',
    '',
  ].join('\n');
}
