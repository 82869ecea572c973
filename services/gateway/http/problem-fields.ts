import type { Problem } from '../../../shared/problems.ts';

/** Fields of every answer of our own on a service's origin: no browser shows it as a page or keeps it. */
export const servedByUs = [
  'Cache-Control',
  'no-store',
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'no-referrer',
];

/** RFC 9457, as name, value, name, value: for answers that no framework writes. */
export const problemFields = (problem: Problem): string[] => [
  'Content-Type',
  'application/problem+json',
  ...fieldsBeside(problem),
];

/** What goes with a problem, in whatever form it is told. */
export function fieldsBeside(problem: Problem): string[] {
  const fields = [...servedByUs];
  if (problem.retryAfterSeconds !== undefined) fields.push('Retry-After', String(problem.retryAfterSeconds));
  // RFC 9110 §11.6.1
  if (problem.code === 'unauthorized') fields.push('WWW-Authenticate', 'Bearer realm="runlet"');
  return fields;
}

export const problemBody = (problem: Problem) => Buffer.from(JSON.stringify(problem.toBody()));
