/** Rules as `iptables -S` prints them, so that what is there can be compared with what should be there. */
export type RuleSet = {
  table: 'filter' | 'nat';
  /** Our own chains, and their rules. */
  chains: string[];
  rules: string[];
  /** The jumps to our chains. */
  hooks: Hook[];
};

/**
 * Rules in a chain of the system. They come first there, unless `behind` names a rule: then they come after that one, and `null` means as
 * the last.
 */
type Hook = { chain: string; rules: string[]; behind?: string | null };

/** Whether everything is in its place. `listing`: the lines of `iptables -S`. */
export function isInPlace({ chains, rules, hooks }: RuleSet, listing: string[]): boolean {
  const own = chains.every((chain) => {
    const wanted = of(chain, rules);
    const found = of(chain, listing);
    return found.length === wanted.length && same(found, wanted);
  });
  return own && hooks.every((hook) => isHooked(hook, of(hook.chain, listing)));
}

const of = (chain: string, lines: string[]) => lines.filter((line) => line.startsWith(`-A ${chain} `));
const same = (found: string[], wanted: string[]) => wanted.every((rule, index) => found[index] === rule);

/** What others put between the rules and the one that they are behind is no reason to move them. */
function isHooked({ rules, behind }: Hook, found: string[]): boolean {
  if (behind === undefined) return same(found, rules);
  const before = behind === null ? -1 : found.indexOf(behind);
  return rules.every((rule) => found.indexOf(rule) > before);
}

/** Input for `iptables-restore --noflush`: one transaction that refills our chains and sets the jumps to them. */
export function restoreScript({ table, chains, rules, hooks }: RuleSet, listing: string[]): string {
  // Also those in another chain, where they were while the one that they belong to was not there.
  const isJump = (line: string) =>
    chains.some(
      (chain) => line.endsWith(` -j ${chain}`) && !chains.some((own) => of(own, [line]).length > 0),
    );
  const jumps = listing.filter(isJump);
  let lines = listing.filter((line) => !jumps.includes(line));
  const inserts = hooks.flatMap((hook) => {
    const at = placeOf(hook, of(hook.chain, lines));
    const there = of(hook.chain, lines);
    there.splice(at, 0, ...hook.rules);
    lines = [...lines.filter((line) => !line.startsWith(`-A ${hook.chain} `)), ...there];
    return hook.rules.map((rule, index) =>
      rule.replace(`-A ${hook.chain}`, `-I ${hook.chain} ${at + index + 1}`),
    );
  });
  return [
    `*${table}`,
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...rules,
    ...jumps.map((line) => line.replace('-A', '-D')),
    ...inserts,
    'COMMIT',
    '',
  ].join('\n');
}

function placeOf({ behind }: Hook, found: string[]): number {
  if (behind === undefined) return 0;
  return behind === null ? found.length : found.indexOf(behind) + 1;
}
