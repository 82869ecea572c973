import type { Problem } from '../../../shared/problems.ts';
import type { ContainerState, Containers, LogLine } from '../engine/containers.ts';
import { mayBeNotExecuted, notExecuted } from './not-executed.ts';

const maxLines = 3;
const maxCharacters = 400;
/** An engine may note a start so long after it (Docker 20: when the program may have written already). */
const startNotedMs = 5_000;

async function lastLines(containers: Containers, id: string, count: number): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  const log = await containers.logs(id, { tail: count, follow: false });
  for await (const line of log) lines.push(line as LogLine);
  return lines;
}

/** The end of a container's log, for people: it mostly says why the service does not come up. */
export async function lastWords(containers: Containers, id: string): Promise<string> {
  try {
    const lines = (await lastLines(containers, id, maxLines)).map(({ data }) => data.toString('utf8').trim());
    // Of any language; but nothing that moves a cursor, or turns the direction of what follows.
    const characters = [...lines.join(' · ').replace(/\p{C}/gu, ' ')];
    const text = characters.slice(-maxCharacters).join('').trim();
    return text === '' ? ' It wrote nothing.' : ` Its last words: ${text}`;
  } catch {
    return '';
  }
}

/** Why the init of a container that has ended could not execute the program; `undefined` of every other end. */
export async function whyNotExecuted(
  containers: Containers,
  { id, exitCode, startedAt }: ContainerState,
): Promise<Problem | undefined> {
  if (!mayBeNotExecuted(exitCode)) return undefined;
  const last = (await lastLines(containers, id, 1)).at(-1);
  // A line of an earlier start says nothing of this one.
  const isOfThisStart =
    last !== undefined && Date.parse(last.at) >= Date.parse(startedAt ?? '') - startNotedMs;
  return isOfThisStart ? notExecuted(last.data.toString('utf8')) : undefined;
}
