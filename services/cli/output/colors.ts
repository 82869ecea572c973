import picocolors from 'picocolors';
import type { Sink } from './sink.ts';

export type Colors = ReturnType<typeof picocolors.createColors>;

/** Colours only on a terminal, and never if NO_COLOR is set (https://no-color.org). */
export function colorsFor(sink: Sink, env: Readonly<Record<string, string | undefined>>): Colors {
  return picocolors.createColors(sink.isTTY && !env.NO_COLOR && env.TERM !== 'dumb');
}
