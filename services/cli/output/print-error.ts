import type { ShownProblem } from '../errors.ts';
import { inCliWords } from './cli-words.ts';
import type { Colors } from './colors.ts';
import { jsonText, oneLine, printable } from './harmless.ts';
import type { Sink } from './sink.ts';

/** A problem for people: title, what to do next, and each option that is at fault. */
export async function printProblem(problem: ShownProblem, sink: Sink, colors: Colors): Promise<void> {
  const told = { ...problem, errors: unsaid(problem) };
  // What the CLI itself says has no HTTP status, and is in its own words already.
  const { title, detail, errors } = problem.status === undefined ? told : inCliWords(told);
  const lines = [`${colors.red('runlet:')} ${oneLine(title)}`];
  if (detail) lines.push(`  ${printable(detail).replace(/\n/g, '\n  ')}`);
  for (const { path, message } of errors) lines.push(`  ${colors.bold(oneLine(path))}: ${oneLine(message)}`);
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
