import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Home, makeHome } from '../infra/support/npm-start.ts';
import { docker } from '../support/docker.ts';
import { ensureLoaded } from '../support/lab-images.ts';
import { follow, json } from './follow.ts';
import { Reader } from './reader.ts';

// README and the pages that lead from one command to the next are followed, each command as it stands there, on what `npm start` starts.

const lab = inject('lab');
let home: Home;
let reader: Reader;

beforeAll(async () => {
  for (const name of ['python', 'busybox']) await ensureLoaded(lab, name);
  home = await makeHome({ DOCKER_HOST: lab.dockerHost });
  // Images are built from the network, unless they have been built before.
  symlinkSync(lab.imageCache, join(home.dataDir, 'images'));
  reader = new Reader(home);
});
afterAll(async () => {
  await reader.leave();
  await home.remove();
});

type Keys = { data: { id: string; name: string }[] };
const keyNames = async () => (await json<Keys>(reader, 'runlet keys ls')).data.map(({ name }) => name);
const interrupt = () => reader.interrupt();

/** A service whose volume holds a file. */
async function serviceWithVolume(name: string): Promise<void> {
  const program = 'echo kept > /data/file; exec httpd -f -p 80 -h /data';
  const { output, code } = await reader.type(
    `runlet up --name ${name} --port 80 -v ${name}:/data busybox -- sh -c '${program}'`,
  );
  expect(code, output).toBe(0);
}

async function volumeOf(name: string): Promise<string> {
  const all = await docker(lab.dockerHost, 'volume', 'ls', '-q', '--filter', `name=-default-${name}`);
  expect(all.split('\n')).toHaveLength(1);
  return all;
}

// Each goes on where the one before it has ended.
describe('a reader who types what stands there', { timeout: 600_000 }, () => {
  test('has the examples of README', async () => {
    await follow(reader, 'README.md');
  });

  test('makes keys, takes them back, and replaces the first one', async () => {
    const first = JSON.parse(readFileSync(join(home.configDir, 'config.json'), 'utf8')).apiKey;
    await follow(reader, 'infra/docs/KEYS.md', {
      words: {
        ID: async () =>
          (await json<Keys>(reader, 'runlet keys ls')).data.find((key) => key.name === 'second')?.id ?? '',
      },
      before: {
        'rm ': async () => {
          expect(await keyNames()).toEqual(['second']);
          await interrupt();
        },
      },
    });
    expect(await keyNames()).toEqual(['first key']);
    expect(JSON.parse(readFileSync(join(home.configDir, 'config.json'), 'utf8')).apiKey).not.toBe(first);
  });

  test('backs up, and restores to a machine that has nothing', async () => {
    const kept = 'runlet run --lang python --artifact \'out.txt\' -c \'open("out.txt", "w").write("kept")\'';
    const { id } = await json<{ id: string }>(reader, kept);
    const before = await json<object>(reader, `runlet show ${id}`);
    const name = 'backed';
    await serviceWithVolume(name);
    await follow(reader, 'infra/docs/BACKUP.md', {
      words: { NAME: () => name, VOLUME: () => volumeOf(name) },
      before: {
        '(umask': interrupt,
        'rm -rf': async () => {
          await interrupt();
          for (const file of ['secret-key', 'logs', 'children.json'])
            rmSync(join(home.dataDir, file), { recursive: true, force: true });
          rmSync(home.configDir, { recursive: true });
        },
        'docker run --rm -i': async () => {
          await reader.type(`runlet stop ${name}`);
          const mount = `${await volumeOf(name)}:/data`;
          await docker(
            lab.dockerHost,
            'run',
            '--rm',
            '--network=none',
            '-v',
            mount,
            'busybox',
            'rm',
            '/data/file',
          );
        },
      },
    });
    expect(await json<object>(reader, `runlet show ${id}`)).toEqual(before);
    const folder = join(home.folder, 'artifacts');
    expect(await reader.type(`runlet artifacts -o ${folder} ${id}`)).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, 'out.txt'), 'utf8')).toBe('kept');
    const mount = `${await volumeOf(name)}:/data:ro`;
    expect(
      await docker(
        lab.dockerHost,
        'run',
        '--rm',
        '--network=none',
        '-v',
        mount,
        'busybox',
        'cat',
        '/data/file',
      ),
    ).toBe('kept');
  });

  test('upgrades', async () => {
    await follow(reader, 'infra/docs/UPGRADE.md');
  });

  test('has a domain', async () => {
    await follow(reader, 'infra/docs/TLS.md');
    expect(await json<{ url: string }>(reader, 'runlet services backed')).toMatchObject({
      url: 'https://backed.apps.example.com/',
    });
  });

  test('uninstalls, and has nothing left', async () => {
    const volume = await volumeOf('backed');
    const spare = `runlet-spare-${home.port}`;
    await docker(lab.dockerHost, 'volume', 'create', spare);
    await follow(reader, 'infra/docs/UNINSTALL.md', {
      words: { NAME: () => 'backed', VOLUME: () => spare },
      before: { 'rm ': interrupt },
    });
    for (const path of [home.dataDir, home.configDir, join(home.binDir, 'runlet')])
      expect([path, existsSync(path)]).toEqual([path, false]);
    const [, instance = ''] = /^runlet-vol-(.+)-default-backed$/.exec(volume) ?? [];
    expect(instance).not.toBe('');
    for (const kind of ['container', 'network']) {
      const ls = [kind, 'ls', ...(kind === 'container' ? ['-a'] : []), '-q'];
      const left = await docker(lab.dockerHost, ...ls, '--filter', `label=dev.runlet.instance=${instance}`);
      expect([kind, left]).toEqual([kind, '']);
    }
    const volumes = await docker(lab.dockerHost, 'volume', 'ls', '-q');
    for (const one of [volume, spare]) expect(volumes.split('\n')).not.toContain(one);
  });
});
