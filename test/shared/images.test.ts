import { expect, test } from 'vitest';
import { familiarName, imageIdIn, isImageName, parseImageReference } from '../../shared/images.ts';
import { registryFault } from '../../shared/registries/policy.ts';

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

const hex = 'a'.repeat(64);

test.each([
  ['a whole id', `sha256:${hex}`, hex, `sha256:${hex}`],
  ['one without its algorithm', hex, hex, `sha256:${hex}`],
  ['what `docker images` shows of one', 'cafe0123beef', 'cafe0123beef', 'cafe0123beef'],
  ['the beginning of one, with its algorithm', 'sha256:cafe', 'cafe', 'sha256:cafe'],
])('%s is an image’s name that gets no tag', (_, text, digits, familiar) => {
  expect([isImageName(text), imageIdIn(text), familiarName(text)]).toEqual([true, digits, familiar]);
});

test.each([
  ['too short', 'cafe0123bee', 'cafe0123bee:latest'],
  ['with a tag', 'cafe0123beef:latest', 'cafe0123beef:latest'],
  ['no hex digits', 'cafe0123beer', 'cafe0123beer:latest'],
  ['a digest of a name', `busybox@sha256:${hex}`, `busybox@sha256:${hex}`],
  ['in a folder', 'a/cafe0123beef', 'a/cafe0123beef:latest'],
])('what is %s is a name and no id', (_, text, familiar) => {
  expect([imageIdIn(text), familiarName(text)]).toEqual([undefined, familiar]);
});

test('a whole id is no reference to a registry', () => {
  expect(parseImageReference(hex)).toBeUndefined();
  expect(parseImageReference(`sha256:${hex}`)).toBeUndefined();
  expect(isImageName('A'.repeat(64))).toBe(false);
});

test.each([hex, `sha256:${hex}`, 'cafe0123beef', 'sha256:a'])(
  'where registries are named, %s says of none that it came from it',
  (text) => {
    expect(registryFault(text, [])).toBeUndefined();
    expect(registryFault(text, ['docker.io'])).toContain('id');
  },
);

test('where registries are named, an image of one is allowed', () => {
  expect(registryFault('cafe0123beef:latest', ['docker.io'])).toBeUndefined();
  expect(registryFault('quay.io/x/y', ['docker.io'])).toContain('comes from quay.io');
});
