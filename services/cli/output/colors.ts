import picocolors from 'picocolors';
import type { Sink } from './sink.ts';

export type Colors = ReturnType<typeof picocolors.createColors>;

/**
 * Colours on a terminal, and wherever FORCE_COLOR asks for them (https://force-color.org). Never if NO_COLOR is set
 * (https://no-color.org).
 */
export function colorsFor(sink: Sink, env: Readonly<Record<string, string | undefined>>): Colors {
  return picocolors.createColors(
    !env.NO_COLOR && (isForced(env.FORCE_COLOR) ?? (sink.isTTY && env.TERM !== 'dumb')),
  );
}

/** `0` and `false` ask for none; an empty value says nothing. */
const isForced = (asked: string | undefined): boolean | undefined =>
  asked ? asked !== '0' && asked !== 'false' : undefined;
