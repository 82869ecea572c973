/** Milliseconds that one call takes. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** The value below which this share of the samples lies (nearest rank). */
export function percentile(samples: number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

export const median = (samples: number[]) => percentile(samples, 0.5);

/** What calls took: all of them together, and in ms each. */
export type Tally = { calls: number; seconds: number; took: number[] };

/** Of `lanes` that each begin the next call when the last has ended. */
export async function inLanes(lanes: number, calls: number, act: () => Promise<unknown>): Promise<Tally> {
  let left = calls;
  const took: number[] = [];
  const ms = await timed(() =>
    Promise.all(
      Array.from({ length: lanes }, async () => {
        while (left > 0) {
          left -= 1;
          took.push(await timed(act));
        }
      }),
    ),
  );
  return { calls, seconds: ms / 1_000, took };
}

export const perSecond = ({ calls, seconds }: Tally) => calls / seconds;

/** Calls per second. */
export const throughput = async (lanes: number, calls: number, act: () => Promise<unknown>) =>
  perSecond(await inLanes(lanes, calls, act));

/** In ms. */
type Spread = { p50: number; p95: number; p99: number; n: number };
type Amount = { amount: number; unit: Unit };
type Unit = 'ms' | '/s' | 'MiB' | '/GiB';
type Comparison = { mine: number; peer: number; ratio: number; unit: Unit };
/** How a comparison is shown, where not as most are. */
type Look = { digits?: number; as?: 'ratio' | 'difference' };

/** Its numbers as they were measured; table.ts makes text of them. */
export type Row = { what: string; values: Spread | Comparison | Amount; goal: string; look?: Look };

/** Two numbers of a kind, side by side. */
export const compared = (
  what: string,
  [mine, peer]: [number, number],
  unit: Unit,
  goal = '',
  look: Look = {},
): Row => ({ what, values: { mine, peer, ratio: mine / peer, unit }, goal, look });

/** One number of ours, with nothing beside it. */
export const amount = (what: string, mine: number, unit: Unit, goal = '', look: Look = {}): Row => ({
  what,
  values: { amount: mine, unit },
  goal,
  look,
});

/** The spread of what one of ours took, with nothing beside it. */
export function alone(what: string, samples: number[], goal = ''): Row {
  const at = (share: number) => percentile(samples, share);
  return { what, values: { p50: at(0.5), p95: at(0.95), p99: at(0.99), n: samples.length }, goal };
}
