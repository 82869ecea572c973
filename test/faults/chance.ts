import { setTimeout as sleep } from 'node:timers/promises';
/** Randomness that can be had again: the same seed and name draw the same numbers (mulberry32). */
export type Chance = {
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  /** True once in so many times. */
  oneIn(times: number): boolean;
  /** Waits so many ms. */
  pause(least: number, most: number): Promise<void>;
};

/** @param name who draws: so that what others draw, and when, changes nothing for it */
export function chanceOf(seed: number, name: string): Chance {
  let state = [...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), seed) | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    between,
    oneIn: (times) => between(1, times) === 1,
    pause: (least, most) => sleep(between(least, most)),
  };
}
