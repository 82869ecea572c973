import { expect } from 'vitest';
import { executedBy, notExecuted } from './not-executed.ts';
import { stepsOf } from './pages.ts';
import type { Reader } from './reader.ts';

export type Hooks = {
  /** What stands for a word in capitals, when it is typed. */
  words?: Record<string, () => string | Promise<string>>;
  /** What happens before a command that begins so. */
  before?: Record<string, () => void | Promise<void>>;
  /** Commands that are not for this reader begin so. */
  without?: string[];
};

/** Types all that the page says into a new terminal, in order, but for what is listed as executed elsewhere or not at all. */
export async function follow(
  reader: Reader,
  page: string,
  { words = {}, before = {}, without = [] }: Hooks = {},
): Promise<void> {
  await reader.openTerminal();
  for (const { command, output } of stepsOf(page)) {
    if (Object.hasOwn(executedBy, command) || Object.hasOwn(notExecuted, command)) continue;
    if (without.some((start) => command.startsWith(start))) continue;
    for (const [start, act] of Object.entries(before)) if (command.startsWith(start)) await act();
    let line = command;
    for (const [word, meant] of Object.entries(words))
      if (RegExp(`\\b${word}\\b`).test(line)) line = line.replaceAll(word, await meant());
    const typed = await reader.type(line);
    if (output === undefined) expect(typed, line).toMatchObject({ code: 0 });
    else expect(typed.output, line).toMatch(pattern(output));
  }
}

const pattern = (output: string) =>
  new RegExp(
    `^${output
      .split('…')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('[\\s\\S]*')}$`,
  );

/** What a command prints as JSON. */
export async function json<T>(reader: Reader, command: string): Promise<T> {
  const { output, code } = await reader.type(`${command} --json -q`);
  expect(code, output).toBe(0);
  return JSON.parse(output) as T;
}
