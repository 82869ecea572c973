import type { z } from 'zod';
import type { ProblemIssue } from '../../../shared/contracts/problem.ts';
import { Problem } from '../../../shared/problems.ts';
import { textFaults } from './well-formed.ts';

/** Faults that an answer lists at most: a hostile body must not make a large answer. */
const maxIssues = 100;
/** A name that the client made up is cut to this length. */
const maxNameCharacters = 256;

type Issue = z.core.$ZodIssue;

/** `limits.memoryBytes`, `command[0]`, `env.PATH`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += `${text === '' ? '' : '.'}${String(part).slice(0, maxNameCharacters)}`;
  }
  // A name that was cut, or that the client made up, may contain half of a surrogate pair.
  return text.toWellFormed();
}

function issuesOf(issue: Issue, unknown: string): ProblemIssue[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: pathText([...issue.path, key]), message: unknown }));
    case 'invalid_key':
      // The fault is in the name of an entry: the message of the inner issue says more than "invalid key".
      return [{ path: pathText(issue.path), message: issue.issues[0]?.message ?? issue.message }];
    case 'invalid_type':
      if (issue.message.endsWith('received undefined'))
        return [{ path: pathText(issue.path), message: 'is required' }];
      return [{ path: pathText(issue.path), message: issue.message }];
    default:
      return [{ path: pathText(issue.path), message: issue.message }];
  }
}

/** A zod error as RFC 9457 problem details with one entry a fault. */
export function validationProblem(
  error: z.ZodError,
  unknown = 'is not a known field',
  subject = 'the body',
): Problem {
  // One fault a field is enough: the first.
  const byPath = new Map<string, ProblemIssue>();
  for (const issue of error.issues) {
    for (const one of issuesOf(issue, unknown)) {
      if (byPath.size >= maxIssues) break;
      if (!byPath.has(one.path)) byPath.set(one.path, one);
    }
  }
  return problemOf([...byPath.values()], subject);
}

/** What is wrong with the texts of a body, a run of a batch or a message; `undefined`: nothing. No schema need ask for it. */
export function textProblem(value: unknown): Problem | undefined {
  const faults = textFaults(value, maxIssues);
  if (faults.length === 0) return undefined;
  return problemOf(
    faults.map(({ path, message }) => ({ path: pathText(path), message })),
    'the body',
  );
}

function problemOf(issues: ProblemIssue[], subject: string): Problem {
  const first = issues[0];
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more, see errors)` : '';
  const where = first?.path === '' || first === undefined ? subject : first.path;
  return new Problem('validation_failed', `${where}: ${first?.message ?? 'is not valid'}${more}`, { issues });
}
