import picocolors from 'picocolors';
import type { Sink } from './sink.ts';

export type Colors = ReturnType<typeof picocolors.createColors>;

/** Colours only where a person looks, and never against NO_COLOR (https://no-color.org). */
export function colorsFor(sink: Sink, env: Readonly<Record<string, string | undefined>>): Colors {
  return picocolors.createColors(sink.isTTY && !env.NO_COLOR && env.TERM !== 'dumb');
}
