import { durationUnits } from '../parse/duration.ts';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A limit, which is mostly a round number: `8 MiB` where `formatBytes` has `8.0 MiB`. */
export const formatLimit = (bytes: number): string => formatBytes(bytes).replace('.0 ', ' ');

const steps: readonly [limitMs: number, unitMs: number, unit: string][] = [
  [120_000, 1000, 's'],
  [7_200_000, 60_000, 'm'],
  [172_800_000, 3_600_000, 'h'],
  [Number.POSITIVE_INFINITY, 86_400_000, 'd'],
];

/** The age of a time in one unit: `12s`, `5m`, `3h`, `8d`. */
export function formatAge(time: string, now: number): string {
  const age = Math.max(0, now - Date.parse(time));
  const [, unitMs, unit] = steps.find(([limit]) => age < limit) ?? [0, 1, '?'];
  return unit === '?' ? '-' : `${Math.floor(age / unitMs)}${unit}`;
}

/** In the format that parseDuration reads: `1m30s`, `2h`. */
export function formatDuration(ms: number): string {
  let left = ms;
  let text = '';
  for (const [unit, unitMs] of Object.entries(durationUnits).reverse()) {
    const count = Math.floor(left / unitMs);
    if (count > 0) text += `${count}${unit}`;
    left -= count * unitMs;
  }
  return text || '0s';
}

export function formatMs(ms: number | null): string {
  if (ms === null) return '-';
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}
