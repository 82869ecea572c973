import { expect, test } from 'vitest';
import { parseImageReference } from '../../shared/images.ts';

const digest = `sha256:${'a'.repeat(64)}`;

test.each([
  ['hello-world', 'docker.io', 'library/hello-world', 'hello-world:latest'],
  ['python:3.11-slim-bookworm', 'docker.io', 'library/python', 'python:3.11-slim-bookworm'],
  ['acme/tool', 'docker.io', 'acme/tool', 'acme/tool:latest'],
  ['docker.io/library/busybox:1', 'docker.io', 'library/busybox', 'busybox:1'],
  ['localhost/x', 'localhost', 'x', 'localhost/x:latest'],
  ['127.0.0.1:5000/a/b:1', '127.0.0.1:5000', 'a/b', '127.0.0.1:5000/a/b:1'],
  ['[::1]:5000/a:1', '[::1]:5000', 'a', '[::1]:5000/a:1'],
  [`ghcr.io/a/b@${digest}`, 'ghcr.io', 'a/b', `ghcr.io/a/b@${digest}`],
  [`busybox:1@${digest}`, 'docker.io', 'library/busybox', `busybox@${digest}`],
])('%s', (text, registry, repository, familiar) => {
  expect(parseImageReference(text)).toMatchObject({ registry, repository, familiar });
});

test.each([
  '',
  ' ',
  'Busybox',
  'a b',
  'busybox:',
  'busybox:-x',
  `busybox:${'x'.repeat(129)}`,
  'busybox@sha256:short',
  'a//b',
  '/a',
  'a/',
  'a..b',
  'http://x/y',
  '../x',
  'x'.repeat(600),
])('refuses %j', (text) => {
  expect(parseImageReference(text)).toBeUndefined();
});
