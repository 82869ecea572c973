import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { buildImage } from '../../infra/images/build.ts';
import { isForTests, knownImages, readDefinition } from '../../infra/images/definition.ts';
import { definitionFor } from '../../infra/images/named.ts';
import { pushImage } from '../../infra/images/push.ts';
import { run } from '../../infra/parts/run.ts';
import { silent } from '../../infra/parts/say.ts';
import { docker } from '../support/docker.ts';
import { ensureImage } from '../support/lab-images.ts';
import { root } from './support/npm-start.ts';

const lab = inject('lab');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-images-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const images = (...args: string[]) =>
  run(process.execPath, [join(root, 'infra/images/main.ts'), ...args], {
    env: { RUNLET_DATA_DIR: folder, DOCKER_HOST: lab.dockerHost },
    allowFailure: true,
  });

describe('an image built from Debian’s packages', () => {
  it('has the same digest at every build', async () => {
    const one = await buildImage('traits', join(folder, 'one'), silent);
    const two = await buildImage('traits', join(folder, 'two'), silent);
    expect(one.manifest.digest).toBe(two.manifest.digest);
    expect(one.layers).toHaveLength(2);
  });

  it('is pushed once', async () => {
    const layout = await buildImage('traits', lab.imageCache, silent);
    expect(await pushImage(layout, { address: lab.registry })).toBe(false);
  });

  it('is what a registry and an Engine take it for', async () => {
    const reference = await ensureImage(lab, 'traits');
    expect(reference).toBe(`${lab.registry}/runlet-test/traits:1`);
    await docker(lab.dockerHost, 'pull', '--quiet', reference);
    const [inspected] = JSON.parse(await docker(lab.dockerHost, 'image', 'inspect', reference));
    expect(inspected.Config).toMatchObject({
      User: '1234:1234',
      WorkingDir: '/srv',
      Volumes: { '/data': {} },
    });
    const said = await docker(
      lab.dockerHost,
      'run',
      '--rm',
      '--network=none',
      reference,
      'stat',
      '-c',
      '%u',
      '/data/seed.txt',
    );
    expect(said).toBe('entrypoint: stat -c %u /data/seed.txt\n1234');
    await docker(lab.dockerHost, 'rmi', '--force', reference);
  });

  it('for another machine is refused by the Engine where it stands in a manifest list', async () => {
    const pull = docker(lab.dockerHost, 'pull', `${lab.registry}/runlet-test/foreign:1`);
    await expect(pull).rejects.toThrow(/no matching manifest/);
  });

  it('in the closed registry is for those with the password', async () => {
    const { image } = lab.privateRegistry;
    await expect(docker(lab.dockerHost, 'pull', image)).rejects.toThrow(
      /no basic auth credentials|unauthorized/,
    );
  });

  it('says hello', async () => {
    expect(await docker(lab.dockerHost, 'run', '--rm', '--network=none', 'hello-world')).toContain(
      'Hello from Docker!',
    );
  });
});

describe('npm run images', () => {
  it('lists what can be built, but not the images of tests', async () => {
    const { stdout } = await images();
    const listed = stdout.split('\n').map((line) => line.split(' ', 1)[0]);
    for (const name of knownImages()) {
      const definition = readDefinition(name);
      expect(definition.tags.length).toBeGreaterThan(0);
      expect([name, listed.includes(name)]).toEqual([name, !isForTests(definition)]);
    }
  });

  it('builds and pushes to the registry it is given, one JSON object a line', async () => {
    const { stdout, code } = await images('--json', '--registry', lab.registry, 'hello-world', 'busybox');
    expect(code).toBe(0);
    const done = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(done.map((entry) => entry.name)).toEqual(['hello-world', 'busybox']);
    expect(done[0].digest).toMatch(/^sha256:/);
  });

  it.each([
    ['hello-wrold', "There is no image 'hello-wrold' that can be built. Did you mean hello-world?"],
    ['rubby', 'Did you mean ruby?'],
    ['nothing-known', '`npm run images` lists them: busybox, '],
    ['--list', 'Unknown option --list. See --help: `npm run images -- --help`.'],
    ['--registry', 'See --help'],
  ])('says of %s what to type', async (word, text) => {
    const { stderr, code } = await images(word);
    expect(code).toBe(1);
    expect(stderr).toContain(text);
    expect(stderr).not.toMatch(/foreign|traits/);
  });
});

it.each([
  ['bash', 'debian'],
  ['javascript', 'node'],
  ['c', 'gcc'],
  ['C++', 'gcc'],
  ['py', 'python'],
  ['java', 'java'],
  ['eclipse-temurin', 'java'],
  ['ruby:3.1-slim-bookworm', 'ruby'],
  ['nginx', 'nginx'],
  ['traits', 'traits'],
])('%s is built as %s', (word, name) => {
  expect(definitionFor(word)).toBe(name);
});
