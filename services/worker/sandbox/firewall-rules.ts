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

/** Rules in the form in which `iptables -S` prints them, so that what is there can be compared with what should be. */
export type RuleSet = {
  /** Of our own chains. */
  rules: string[];
  /** First in a chain of the system's: the jumps to ours. */
  hooks: { chain: string; rules: string[] }[];
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

/**
 * Answers of a container to who has opened a connection to it: this machine, or others by a published port. Not
 * ESTABLISHED alone: that is also what a container itself began.
 */
const answers = '-m conntrack --ctstate ESTABLISHED --ctdir REPLY';

/**
 * IPv4. From a container: answers; with egress also to the resolvers' port 53 and to global addresses; nowhere else, to
 * this machine neither. To a container: answers, and through the ports that it publishes.
 * `forwardHook`: DOCKER-USER where there is one, as Docker puts its own rules before those of FORWARD; else FORWARD.
 */
export function ipv4Rules(resolvers: string[], forwardHook: string): RuleSet {
  const dns = (chain: string, verdict: string) =>
    resolvers.flatMap((address) =>
      ['udp', 'tcp'].map(
        (protocol) => `-A ${chain} -d ${address}/32 -p ${protocol} -m ${protocol} --dport 53 -j ${verdict}`,
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
      `-A ${inputChain} ${answers} -j ACCEPT`,
      `-A ${inputChain} -i ${closed} -j DROP`,
      ...dns(inputChain, 'ACCEPT'),
      `-A ${inputChain} -j DROP`,
    ],
    hooks: [hookInto(forwardHook, forwardChain), inputHook],
  };
}

/** IPv6: nothing at all. The networks have none; this holds should that ever change. */
export function ipv6Rules(): RuleSet {
  return {
    rules: [`-A ${forwardChain} -j DROP`, `-A ${inputChain} -j DROP`],
    hooks: [hookInto('FORWARD', forwardChain), inputHook],
  };
}

/** Whether everything is in its place. `listing`: the lines of `iptables -S`. */
export function isInPlace(set: RuleSet, listing: string[]): boolean {
  const of = (chain: string) => listing.filter((line) => line.startsWith(`-A ${chain} `));
  const same = (found: string[], wanted: string[]) => wanted.every((rule, index) => found[index] === rule);
  const own = [forwardChain, inputChain].every((chain) => {
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
    `:${forwardChain} - [0:0]`,
    `:${inputChain} - [0:0]`,
    ...set.rules,
    ...hooks,
    'COMMIT',
    '',
  ].join('\n');
}

/** Input for `iptables-restore --noflush` that takes everything of ours away again. */
export function removeScript(listing: string[]): string {
  const target = new RegExp(` -j (?:${forwardChain}|${inputChain})$`);
  const present = [forwardChain, inputChain].filter((chain) => listing.includes(`-N ${chain}`));
  return [
    '*filter',
    ...present.map((chain) => `:${chain} - [0:0]`),
    ...listing.filter((line) => target.test(line)).map((line) => line.replace('-A', '-D')),
    ...present.map((chain) => `-X ${chain}`),
    'COMMIT',
    '',
  ].join('\n');
}
