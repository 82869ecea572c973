import type { ShownProblem } from '../errors.ts';
import type { Colors } from './colors.ts';
import { jsonText, oneLine, printable } from './harmless.ts';
import type { Sink } from './sink.ts';

/** A problem for people: title, what to do next, and each field that is at fault. */
export async function printProblem(problem: ShownProblem, sink: Sink, colors: Colors): Promise<void> {
  const lines = [`${colors.red('runlet:')} ${oneLine(problem.title)}`];
  if (problem.detail) lines.push(`  ${printable(problem.detail).replace(/\n/g, '\n  ')}`);
  for (const { path, message } of unsaid(problem))
    lines.push(`  ${colors.bold(oneLine(path))}: ${oneLine(message)}`);
  await sink.line(lines.join('\n'));
}

/** Mostly the server's detail already contains the first error. Then that error is left out. */
function unsaid({ detail, errors = [] }: ShownProblem) {
  const [first] = errors;
  return first !== undefined && detail.includes(first.message) ? errors.slice(1) : errors;
}

/** The same for machines. */
export async function printProblemJson(problem: ShownProblem, sink: Sink): Promise<void> {
  await sink.line(jsonText(problem, 2));
}
