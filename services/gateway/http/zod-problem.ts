import type { z } from 'zod';
import { Problem, type ProblemIssue } from '../../../shared/problems.ts';
import { meantField } from './meant-field.ts';
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

/** What was checked, for sentences that say what to write. */
type Checked = {
  schema?: z.ZodType;
  value?: unknown;
  /** What is said of a field that is not known. */
  unknown?: string | undefined;
  subject?: string | undefined;
};

function issuesOf(
  issue: Issue,
  { schema, value, unknown = 'is not a known field' }: Checked,
): ProblemIssue[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.slice(0, maxIssues).map((key) => {
        const meant = schema && meantField(schema, issue.path, key);
        return {
          path: pathText([...issue.path, key]),
          message: meant === undefined ? unknown : `${unknown}: did you mean ${meant}?`,
        };
      });
    case 'invalid_key':
      // The fault is in the name of an entry: the message of the inner issue says more than "invalid key".
      return [{ path: pathText(issue.path), message: issue.issues[0]?.message ?? issue.message }];
    case 'invalid_type':
      if (issue.message.endsWith('received undefined'))
        return [{ path: pathText(issue.path), message: 'is required' }];
      if (issue.expected === 'array') {
        const message = asList(issue.path.at(-1), valueAt(value, issue.path)) ?? issue.message;
        return [{ path: pathText(issue.path), message }];
      }
      return [{ path: pathText(issue.path), message: issue.message }];
    default:
      return [{ path: pathText(issue.path), message: issue.message }];
  }
}

/** Lists of words, which people write as one text. */
const wordLists = new Set<unknown>(['command', 'entrypoint', 'args', 'artifacts', 'events']);
/** A longer text is not written again. */
const maxShownCharacters = 100;

/** How to write a text as the list that it should be. */
function asList(field: unknown, value: unknown): string | undefined {
  if (typeof value !== 'string' || !wordLists.has(field)) return undefined;
  const text = value.length > maxShownCharacters ? '…' : value;
  const list = field === 'command' ? ['sh', '-c', text] : [text];
  return `must be a list of texts, not one text: write ${JSON.stringify(list)}`;
}

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce(
    (at: unknown, part) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, part)
        ? at[part as keyof typeof at]
        : undefined,
    value,
  );

/** A zod error as RFC 9457 problem details with one entry a fault. */
export function validationProblem(error: z.ZodError, checked: Checked = {}): Problem {
  // One fault a field is enough: the first.
  const byPath = new Map<string, ProblemIssue>();
  for (const issue of error.issues) {
    if (byPath.size >= maxIssues) break;
    for (const one of issuesOf(issue, checked)) {
      if (byPath.size >= maxIssues) break;
      if (!byPath.has(one.path)) byPath.set(one.path, one);
    }
  }
  return problemOf([...byPath.values()], checked.subject ?? 'the body');
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
