import { expect, it } from 'vitest';
import { nearest } from '../../shared/did-you-mean.ts';

const known = ['python', 'py', 'javascript', 'ruby', 'rust', 'go', 'bash', 'apiKey'];

it.each([
  ['pyhton', 'python'],
  ['Python3', 'python'],
  ['javscript', 'javascript'],
  ['rubby', 'ruby'],
  ['rsut', 'rust'],
  ['apikey', 'apiKey'],
])('%s is most like %s', (typed, name) => expect(nearest(typed, known)).toBe(name));

it.each(['', 'g', 'gp', 'c', 'perl', 'brash-', 'x'.repeat(200)])('%j is like none', (typed) =>
  expect(nearest(typed, known)).toBeUndefined(),
);
