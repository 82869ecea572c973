import type { ShownProblem } from '../errors.ts';
import type { Colors } from './colors.ts';
import { printable } from './format.ts';
import type { Sink } from './sink.ts';

/** A problem for people: title, what to do next, and each field that is at fault. */
export async function printProblem(problem: ShownProblem, sink: Sink, colors: Colors): Promise<void> {
  const lines = [`${colors.red('runlet:')} ${printable(problem.title)}`];
  if (problem.detail) lines.push(`  ${printable(problem.detail)}`);
  for (const { path, message } of unsaid(problem))
    lines.push(`  ${colors.bold(printable(path))}: ${printable(message)}`);
  await sink.line(lines.join('\n'));
}

/** The server's detail is its first error already, as a rule. */
function unsaid({ detail, errors = [] }: ShownProblem) {
  const [first] = errors;
  return first !== undefined && detail.includes(first.message) ? errors.slice(1) : errors;
}

/** The same for machines. */
export async function printProblemJson(problem: ShownProblem, sink: Sink): Promise<void> {
  await sink.line(JSON.stringify(problem, null, 2));
}
