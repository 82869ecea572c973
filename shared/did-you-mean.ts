/**
 * The known name that a mistyped one is most like. `undefined` if none is near: one fault for up to five characters, two for
 * more. Two neighbours that changed places count as one fault, and upper case as lower case.
 */
export function nearest(typed: string, known: readonly string[]): string | undefined {
  const wanted = typed.toLowerCase();
  let best: { name: string; faults: number } | undefined;
  for (const name of known) {
    const faults = distance(wanted, name.toLowerCase());
    if (faults <= allowed(wanted, name) && faults < (best?.faults ?? Number.POSITIVE_INFINITY))
      best = { name, faults };
  }
  return best?.name;
}

/** Names of two characters differ in one fault from too many others. */
function allowed(typed: string, name: string): number {
  const length = Math.min(typed.length, name.length);
  if (length <= 2) return 0;
  return length <= 5 ? 1 : 2;
}

/** How many letters to add, drop, change or swap with their neighbour: the Damerau-Levenshtein distance, in which no part is changed twice. */
export function distance(one: string, other: string): number {
  // rows[i][j]: the distance between the first i characters of one and the first j of the other.
  const rows = [Array.from({ length: other.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= one.length; i++) {
    rows.push([i]);
    for (let j = 1; j <= other.length; j++) {
      const changed = one[i - 1] === other[j - 1] ? 0 : 1;
      const swapped = one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      rows[i]?.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + changed,
          swapped ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(one.length, other.length);
}
