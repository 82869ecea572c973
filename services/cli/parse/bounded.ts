import { limitBounds, runBounds } from '../../../shared/contracts/bounds.ts';
import { formatDuration, formatLimit } from '../output/format.ts';
import { parseDuration } from './duration.ts';
import { parseCpus, parseWhole } from './number.ts';
import { parseSize } from './size.ts';

type Bounds = { least: number; most: number };
type Parse = (text: string) => number;

/** A parser that also refuses what is out of bounds on every server. */
function within(parse: Parse, { least, most }: Bounds, show: (value: number) => string): Parse {
  return (text) => {
    const value = parse(text);
    if (value < least) throw new Error(`The least is ${show(least)}.${forgotUnit(text, parse, least)}`);
    if (value > most) throw new Error(`The most is ${show(most)}.`);
    return value;
  };
}

/** `--memory 64`: without a unit a size is in bytes, which is hardly ever meant. */
function forgotUnit(text: string, parse: Parse, least: number): string {
  if (parse !== parseSize || !/^[1-9]\d*$/.test(text)) return '';
  const unit = ['k', 'm', 'g'].find((one) => parseSize(`${text}${one}`) >= least);
  return ` Without a unit it is in bytes.${unit === undefined ? '' : ` Did you mean ${text}${unit}?`}`;
}

const time = (bounds: Bounds) => within(parseDuration, bounds, formatDuration);
const size = (bounds: Bounds) => within(parseSize, bounds, formatLimit);
const whole = (bounds: Bounds) => within(parseWhole, bounds, String);

/** The parsers of the numbers of a run: each refuses what the contract refuses, whatever the server. */
export const parseTimeout = time(limitBounds.timeoutMs);
export const parseCpuTime = time(limitBounds.cpuTimeMs);
export const parseMemory = size(limitBounds.memoryBytes);
export const parseStack = size(limitBounds.stackBytes);
export const parseCpuCount = within(parseCpus, limitBounds.cpus, String);
export const parsePids = whole(limitBounds.pids);
export const parseOutputLimit = size(limitBounds.outputBytes);
export const parseDisk = size(limitBounds.diskBytes);
export const parsePriority = whole(runBounds.priority);
export const parseDelay = time(runBounds.delayMs);
export const parseRetries = whole(runBounds.retries);
