import type { z } from 'zod';

/** One fault of a request, as FastAPI lists it below `detail` with a 422. */
export type Fault = {
  type: string;
  /** From the body down: `["body", "files", "a.txt"]`. */
  loc: (string | number)[];
  msg: string;
  input: unknown;
  ctx?: Record<string, unknown>;
};

/** Faults that an answer lists at most, and the characters of a value that it shows again: a hostile body must not make a large answer. */
const maxFaults = 100;
const maxShown = 2_048;

const kinds: Record<string, [type: string, msg: string]> = {
  string: ['string_type', 'Input should be a valid string'],
  number: ['float_type', 'Input should be a valid number'],
  int: ['int_type', 'Input should be a valid integer'],
  array: ['list_type', 'Input should be a valid list'],
  record: ['dict_type', 'Input should be a valid dictionary'],
  object: ['model_attributes_type', 'Input should be a valid dictionary or object to extract fields from'],
};

const wholeNumbers = new Set<unknown>(['memory_limit_MB']);
const nouns = new Map([
  ['number', 'a number'],
  ['int', 'an integer'],
]);

/** A rule of ours, which pydantic does not have. */
export const ruleFault = (path: readonly PropertyKey[], message: string, input: unknown): Fault => ({
  type: 'value_error',
  loc: locOf(path),
  msg: `Value error, ${message}`,
  input: shown(input),
});

/** What zod found in the body, in pydantic's words. */
export const faultsOf = (error: z.ZodError, body: unknown): Fault[] =>
  error.issues.slice(0, maxFaults).map((issue) => faultOf(issue, body));

function faultOf(issue: z.core.$ZodIssue, body: unknown): Fault {
  const input = valueAt(body, issue.path);
  const fault = (type: string, msg: string, ctx?: Record<string, unknown>): Fault => ({
    type,
    loc: locOf(issue.path),
    msg,
    input: shown(input),
    ...(ctx && { ctx }),
  });
  if (input === undefined)
    return { ...fault('missing', 'Field required'), input: shown(valueAt(body, issue.path.slice(0, -1))) };
  switch (issue.code) {
    case 'invalid_type': {
      if (issue.expected === 'int' && typeof input === 'number')
        return fault(
          'int_from_float',
          'Input should be a valid integer, got a number with a fractional part',
        );
      const kind = wholeNumbers.has(issue.path[0]) ? 'int' : issue.expected;
      const [type, msg] = kinds[kind] ?? ['value_error', issue.message];
      if (typeof input !== 'string' || issue.expected !== 'number') return fault(type, msg);
      return fault(type.replace('type', 'parsing'), `${msg}, unable to parse string as ${nouns.get(kind)}`);
    }
    case 'invalid_value': {
      const names = issue.values.map((value) => `'${String(value)}'`);
      const expected = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
      return fault('literal_error', `Input should be ${expected}`, { expected });
    }
    case 'too_small':
      return issue.inclusive
        ? fault('greater_than_equal', `Input should be greater than or equal to ${issue.minimum}`, {
            ge: Number(issue.minimum),
          })
        : fault('greater_than', `Input should be greater than ${issue.minimum}`, {
            gt: Number(issue.minimum),
          });
    case 'too_big':
      return issue.origin === 'array'
        ? fault('too_long', `List should have at most ${issue.maximum} items after validation`, {
            max_length: Number(issue.maximum),
          })
        : fault('less_than_equal', `Input should be less than or equal to ${issue.maximum}`, {
            le: Number(issue.maximum),
          });
    default:
      return ruleFault(issue.path, issue.message, input);
  }
}

/** A name that the client made up is cut, and may hold half of a surrogate pair. */
const locOf = (path: readonly PropertyKey[]): (string | number)[] => [
  'body',
  ...path.map((part) => (typeof part === 'number' ? part : String(part).slice(0, 256).toWellFormed())),
];

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce(
    (at: unknown, part) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, part)
        ? at[part as keyof typeof at]
        : undefined,
    value,
  );

/** The value as it came; of a long one its beginning, as text. */
function shown(value: unknown): unknown {
  const text = JSON.stringify(value) ?? 'null';
  return text.length <= maxShown ? (value ?? null) : `${text.slice(0, maxShown).toWellFormed()}…`;
}
