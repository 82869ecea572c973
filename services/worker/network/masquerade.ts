import { closedPrefix, egressPrefix } from './firewall-rules.ts';
import { list, restore } from './iptables.ts';
import { isInPlace, type RuleSet, restoreScript } from './rule-set.ts';
import { shareNext } from './share-next.ts';

const chain = 'RUNLET-EGRESS-NAT';

/**
 * What leaves this machine from a network of the pool gets the machine's own address as its source. One rule for the whole pool, so that
 * making a network changes no rules. Other Runlets on the machine use the same chain, each for its own pool, and so each keeps the others'.
 */
function natRules(pool: string, listing: string[]): RuleSet {
  const own = `-A POSTROUTING -s ${pool} -j ${chain}`;
  const others = listing.filter(
    (line) => line.startsWith('-A POSTROUTING ') && line.endsWith(` -j ${chain}`),
  );
  return {
    table: 'nat',
    chains: [chain],
    rules: [
      ...[egressPrefix, closedPrefix].map((prefix) => `-A ${chain} -o ${prefix}+ -j RETURN`),
      `-A ${chain} -j MASQUERADE`,
    ],
    hooks: [{ chain: 'POSTROUTING', rules: [...new Set([...others, own])], behind: null }],
  };
}

/**
 * Makes the function that installs the rules if any is missing; quick when none is. It throws an Error that says why it is not possible.
 * `pool`: as in `10.213.0.0/16`.
 */
export function createMasquerade(pool: string): () => Promise<void> {
  return shareNext(async () => {
    const before = await list('iptables', 'nat');
    const rules = natRules(pool, before);
    if (isInPlace(rules, before)) return;
    await restore('iptables', restoreScript(rules, before));
    if (!isInPlace(rules, await list('iptables', 'nat')))
      throw new Error(
        'iptables took the rules of its table nat but does not show them; another tool may be changing them',
      );
  });
}
