import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { docker } from '../support/docker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';

const lab = inject('lab');
let runlet: Runlet;
beforeAll(async () => {
  await ensureImages(lab, ['python:3.11-slim-bookworm']);
  runlet = await startRunlet(lab);
}, 300_000);
afterAll(async () => {
  await runlet.stop();
  for (const image of images) await docker(lab.dockerHost, 'rmi', '-f', image);
});

const images: string[] = [];

/** An image of busybox in which this script has run as root, with these changes to its config. */
async function imageOf(script: string, ...changes: string[]): Promise<string> {
  const name = `runlet-test-files:${process.pid}-${images.length}`;
  const maker = `${name.replace(':', '-')}`;
  await docker(lab.dockerHost, 'run', '--name', maker, 'busybox', 'sh', '-ec', script);
  const all = ['CMD ["sh"]', ...changes].flatMap((change) => ['--change', change]);
  await docker(lab.dockerHost, 'commit', ...all, maker, name);
  await docker(lab.dockerHost, 'rm', maker);
  images.push(name);
  return name;
}

const sh = (image: string, script: string, more: Record<string, unknown> = {}) =>
  runlet.run({ image, command: ['sh', '-c', script], ...more });

/** A run in a sandbox that was made ahead. The test's own time limit ends the wait for one. */
async function warm(request: Record<string, unknown>): Promise<Run> {
  for (;;) {
    const run = await runlet.run(request);
    if (run.startedWarm) return run;
    await sleep(100);
  }
}

const isolations = lab.gvisor ? ['container', 'gvisor'] : ['container'];

describe('what an image has under its VOLUMEs', () => {
  const look =
    'find /data /work | sort; cd /data; stat -c "%n %a %s %h %Y %F" seed run.sh .dot "ž z" again link dangling closed/file; stat -c "%n %a %F" closed deep/in; ' +
    'cat seed closed/file deep/in/er; readlink link; readlink dangling; ./run.sh';
  let image: string;
  beforeAll(async () => {
    image = await imageOf(
      'mkdir -p /data/deep/in /data/closed /data/none /work; cd /data; echo seed >seed; ln seed again; ln -s seed link; ' +
        'ln -s /nowhere dangling; printf "#!/bin/sh\\necho ran" >run.sh; chmod 755 run.sh; echo x >.dot; touch "ž z"; ' +
        'echo inner >deep/in/er; echo shut >closed/file; chmod 400 closed/file; chmod 500 closed; chown -R 77:77 /data; ' +
        'echo app >/work/app; touch -d "2001-02-03 04:05:06" seed run.sh .dot "ž z" closed/file',
      'VOLUME /data',
      'VOLUME /data/deep',
      'WORKDIR /data',
    );
  });

  test.each(isolations)(
    'a run sees as `docker run` does, and can write there: isolation %s',
    async (isolation) => {
      const seen = await docker(lab.dockerHost, 'run', '--rm', '--network', 'none', image, 'sh', '-c', look);
      expect(seen).toContain('/work/app');
      const expected = { status: 'succeeded', stdout: `${seen}\n`, stderr: '' };
      expect(await sh(image, look, { isolation })).toMatchObject(expected);
      expect(await sh(image, look, { isolation, writable: true })).toMatchObject(expected);
      if (isolation === 'container') {
        const command = `${look}; rm -r deep/in again run.sh || exit 9; echo new >>.dot`;
        const run = await warm({ image, command: ['sh', '-c', command] });
        expect(run).toMatchObject({ ...expected, exitCode: 0 });
      }
      // Other runs do not see these changes.
      expect(await sh(image, look, { isolation })).toMatchObject(expected);
    },
  );

  test('gives way to a run’s own files, and is among its artifacts', async () => {
    const files = ['seed', 'link', 'dangling', 'deep/in/er', 'new/one'].map((path) => ({
      path,
      content: 'own\n',
    }));
    const command = 'cat seed again link dangling deep/in/er new/one';
    const run = await sh(image, command, { files, artifacts: ['again', 'deep/**', 'closed/*'] });
    expect(run).toMatchObject({
      status: 'succeeded',
      stdout: 'own\nseed\nown\nown\nown\nown\n',
      error: null,
    });
    expect(run.artifacts.map(({ path }) => path)).toEqual(['again', 'closed/file', 'deep/in/er']);
  });

  test('is brought in by the ten thousand', async () => {
    const many = await imageOf(
      'mkdir /data; cd /data; for i in $(seq 100); do mkdir $i; for j in $(seq 100); do echo $i.$j >$i/$j; done; done',
      'VOLUME /data',
    );
    const run = await sh(many, 'find /data -type f | wc -l; cat /data/57/91');
    expect(run).toMatchObject({ status: 'succeeded', stdout: '10000\n57.91\n' });
    expect(await sh(many, 'true', { limits: { diskBytes: 32 * 1024 * 1024 } })).toMatchObject({
      status: 'errored',
      error: { code: 'disk_limit', detail: expect.stringContaining('Raise it to 41373696 or more.') },
    });
  });

  test('has to fit into limits.diskBytes and memoryBytes: else the run says what it takes, and the next ones too', async () => {
    const large = await imageOf('mkdir /data; head -c 80000000 /dev/zero >/data/large', 'VOLUME /data');
    const size = 'wc -c </data/large';
    const limits = { diskBytes: 81_000_000 };
    for (const _ of ['cold', 'known'])
      expect(await sh(large, size)).toMatchObject({
        status: 'errored',
        stdout: '',
        error: {
          code: 'disk_limit',
          detail: expect.stringMatching(/limits\.diskBytes \(67108864\)\. Raise it to 80003072 or more/),
        },
      });
    expect(await sh(large, size, { limits })).toMatchObject({ status: 'succeeded', stdout: '80000000\n' });
    expect(await sh(large, size, { limits: { ...limits, memoryBytes: 67_108_864 } })).toMatchObject({
      status: 'errored',
      error: { code: 'start_failed', detail: expect.stringContaining('limits.memoryBytes (67108864)') },
    });
  });

  test('is found where the VOLUME is /etc, the work folder, a link, or below /tmp', async () => {
    const odd = await imageOf(
      'echo mine >/etc/mine; mkdir -p /work/sub /srv/real /tmp/v; echo w >/work/sub/w; echo r >/srv/real/r; ln -s srv/real /linked; echo t >/tmp/v/t',
      ...['/etc', '/work', '/linked', '/tmp/v'].map((path) => `VOLUME ${path}`),
    );
    const run = await sh(odd, 'cat /etc/mine w /linked/r /tmp/v/t; id -un; grep -c runlet /etc/hosts', {
      workdir: '/work/sub',
    });
    expect(run).toMatchObject({ stdout: 'mine\nw\nr\nt\nrunlet\n1\n', stderr: '', status: 'succeeded' });
  });

  test('is there under /tmp where the image’s config names it', async () => {
    const script = 'echo "echo from the image" >/tmp/app.sh';
    const named = await imageOf(script, 'CMD ["sh", "/tmp/app.sh"]');
    expect(await runlet.run({ image: named })).toMatchObject({ stdout: 'from the image\n' });
  });
});

describe('a run’s user has a name', () => {
  const who =
    'id; whoami; echo "$USER $LOGNAME $HOME" ~; tail -n 1 /etc/passwd; grep -c " /etc/passwd " /proc/mounts';
  const added = expect.stringMatching(
    /^uid=(\d{10})\(runlet\) gid=\1\(runlet\) groups=\1\(runlet\)\nrunlet\nrunlet runlet \/work \/work\nrunlet:x:\1:\1::\/work:\/bin\/sh\n1\n$/,
  );

  test.each(isolations)('in an image that has none for it: isolation %s', async (isolation) => {
    expect(await sh('busybox', who, { isolation })).toMatchObject({ stdout: added, stderr: '' });
    if (isolation === 'container')
      expect((await warm({ image: 'busybox', command: ['sh', '-c', who] })).stdout).toEqual(added);
  });

  test('also where its root is writable, where the files are links, and where there are none', async () => {
    expect(await sh('busybox', who, { writable: true })).toMatchObject({ stdout: added });
    const linked = await imageOf('mv /etc/passwd /usr/pw; ln -s ../usr/pw /etc/passwd');
    expect(await sh(linked, 'id -un; ls -l /etc/passwd')).toMatchObject({
      stdout: expect.stringMatching(/^runlet\n.* -> \.\.\/usr\/pw\n$/),
    });
    const none = await imageOf('rm /etc/passwd /etc/group');
    expect(await sh(none, who)).toMatchObject({ stdout: added });
  });

  test('that is the operator’s where they chose one for all: the image’s own for it, and then nothing lies over the image’s files', async () => {
    const node = await imageOf(
      'echo node:x:1000:1000::/home/node:/bin/sh >>/etc/passwd; echo node:x:1000: >>/etc/group',
    );
    expect(await sh(node, who)).toMatchObject({ stdout: added });
    const chosen = await startRunlet(lab, { env: { RUNLET_RUN_USER: '1000:1000' } });
    onTestFinished(() => chosen.stop());
    const own =
      'uid=1000(node) gid=1000(node) groups=1000(node)\nnode\nnode node /work /work\nnode:x:1000:1000::/home/node:/bin/sh\n0\n';
    const command = ['sh', '-c', who];
    expect(await chosen.run({ image: node, command })).toMatchObject({ stdout: own });
  });

  test('that languages find, also in a program that was started ahead', async () => {
    const code =
      'import getpass, os, pwd, grp\nprint(getpass.getuser(), pwd.getpwuid(os.getuid()).pw_dir, grp.getgrgid(os.getgid()).gr_name, os.path.expanduser("~"), os.environ["LOGNAME"])';
    const found = { stdout: 'runlet /work runlet /work runlet\n', stderr: '' };
    expect(await runlet.run({ language: 'python', code })).toMatchObject(found);
    expect(await warm({ language: 'python', code })).toMatchObject(found);
  });

  test('by one volume for all images that have the same accounts', async () => {
    const volumes = () =>
      docker(lab.dockerHost, 'volume', 'ls', '-q', '--filter', 'label=dev.runlet.accounts');
    await sh('busybox', 'true');
    const before = await volumes();
    const other = await imageOf('touch /other');
    expect(await sh(other, 'id -un')).toMatchObject({ stdout: 'runlet\n' });
    expect(await volumes()).toBe(before);
  });

  test('or the image is one that no engine can start, which is said before it tries', async () => {
    const piped = await imageOf('rm /etc/passwd; mkfifo /etc/passwd');
    expect(await sh(piped, 'true')).toMatchObject({
      status: 'errored',
      error: { code: 'start_failed', detail: expect.stringContaining('/etc/passwd is no file') },
    });
    // Nothing is left of the container that looked at the image.
    const left = () => docker(lab.dockerHost, 'ps', '-aq', '--filter', `ancestor=${piped}`);
    while ((await left()) !== '');
  });
});
