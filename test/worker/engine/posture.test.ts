import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { OutputChunk } from '../../../services/worker/engine/streams.ts';
import { bench, docker } from './support.ts';

/** What a sandbox is, read from the live process: the configuration that was sent proves nothing. */
const { engine, run, spec, runSpec } = bench();
const script = (lines: string, more: object = {}) => run({ command: ['sh', '-c', lines], ...more });

describe('what an image brings along', () => {
  const traits = `${inject('lab').registry}/runlet-test/traits:1`;
  beforeAll(() => engine.images.pull(traits));
  afterAll(() => engine.images.remove(traits));

  it('counts where it does no harm: entrypoint, command, environment, folder', async () => {
    const { stdout } = await run({ image: traits, command: ['sh', '-c', 'pwd; echo $TRAIT; id -u'] });
    expect(stdout).toMatch(/^entrypoint: sh -c .*\n\/srv\nfrom the image\n1000\n$/);
    expect((await run({ image: traits })).stdout).toContain('default command');
  });

  it('has its VOLUME as a limited, writable folder, and no volume is made for it', async () => {
    const before = docker('volume', 'ls', '-q');
    const made = await spec({
      image: traits,
      command: ['sh', '-c', 'touch /data/x && grep " /data " /proc/mounts; sleep 60'],
    });
    const id = await engine.containers.create(made);
    const { output } = await engine.containers.attach(id, { stdin: false });
    await engine.containers.start(id);
    let text = '';
    for await (const { data } of output as AsyncIterable<OutputChunk>) {
      text += data.toString();
      if (text.includes('nr_inodes')) break;
    }
    expect(text).toMatch(/tmpfs \/data tmpfs rw,nosuid,nodev,relatime,size=65536k/);
    expect(docker('volume', 'ls', '-q')).toBe(before);
    expect(docker('inspect', '-f', '{{json .State.Health}}', id)).toBe('null');
    await engine.containers.remove(id);
  });
});

describe('posture of a sandbox', () => {
  it('has no capability, no way to new privileges, and a seccomp filter', async () => {
    const { stdout } = await script('grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status');
    const status = Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/:\s+/)),
    );
    const none = '0000000000000000';
    expect(status).toEqual({
      CapInh: none,
      CapPrm: none,
      CapEff: none,
      CapBnd: none,
      CapAmb: none,
      NoNewPrivs: '1',
      Seccomp: '2',
    });
  });

  it('runs as a numeric user that is not root, in no other group', async () => {
    const { stdout } = await script('id -u; id -g; id -G');
    expect(stdout).toBe('1000\n1000\n1000\n');
  });

  it('cannot write to its root, and can to its folders', async () => {
    const { stdout } = await script(
      'for d in / /etc /bin /usr /root /proc/sys /sys; do touch $d/x 2>/dev/null && echo $d; done; ' +
        'for d in /work /tmp /dev/shm "$HOME" .; do touch $d/x && echo ok; done; mount | grep " / "',
    );
    expect(stdout).toMatch(/^(ok\n){5}overlay on \/ type overlay \(ro,/);
  });

  it('has folders of the size that was asked for, where programs may be executed but no device or setuid counts', async () => {
    const { stdout } = await script(
      'grep -E " (/work|/tmp|/dev/shm) " /proc/mounts | sort; dd if=/dev/zero of=/work/big bs=64k 2>&1 | grep -o "No space.*"; ' +
        'ls -l /work/big | awk "{print \\$5}"; printf "#!/bin/sh\\necho executed" > /work/x; chmod +x /work/x; /work/x',
      { limits: { diskBytes: 5 * 1024 * 1024 } },
    );
    const lines = stdout.trim().split('\n');
    expect(lines.slice(0, 3)).toEqual([
      expect.stringMatching(/^shm \/dev\/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=5120k/),
      expect.stringMatching(/^tmpfs \/tmp tmpfs rw,nosuid,nodev,relatime,size=5120k,nr_inodes=1280/),
      expect.stringMatching(/^tmpfs \/work tmpfs rw,nosuid,nodev,relatime,size=5120k,nr_inodes=1280/),
    ]);
    expect(lines.slice(3, 5)).toEqual(['No space left on device', String(5 * 1024 * 1024)]);
  });

  it('cannot fill the kernel’s memory with empty files', async () => {
    const { stdout } = await script('i=0; while : > /work/$i; do i=$((i+1)); done 2>/dev/null; echo $i', {
      limits: { diskBytes: 1024 * 1024 },
    });
    expect(Number(stdout)).toBeLessThanOrEqual(1024);
  });

  it('may not have more processes than its limit', async () => {
    const { stdout, stderr } = await script(
      'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done',
      { limits: { pids: 6 } },
    );
    expect(stdout.trim()).toBe('6');
    expect(stderr).toMatch(/can't fork/);
  });

  it('has its limits of files and core, and no memory beyond its own', async () => {
    const { stdout } = await script(
      'grep -E "open files|core file" /proc/self/limits | tr -s " "; ' +
        'cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null',
      { limits: { memoryBytes: 64 * 1024 * 1024 } },
    );
    expect(stdout.split('\n').map((line) => line.trim())).toEqual([
      'Max core file size 1 1 bytes',
      'Max open files 4096 4096 files',
      String(64 * 1024 * 1024),
      '',
    ]);
  });

  it('is killed by the kernel when it takes more memory, and the engine says so', async () => {
    const end = await script('head -c 100m /dev/zero | tail', { limits: { memoryBytes: 16 * 1024 * 1024 } });
    expect(end).toMatchObject({ oomKilled: true });
    expect(end.exitCode).not.toBe(0);
  });

  it('has no network but its own loopback', async () => {
    const { stdout } = await script('ls /sys/class/net; cat /proc/net/route | tail -n +2');
    expect(stdout).toBe('lo\n');
  });

  it('sees no process but its own, and a host name that says nothing', async () => {
    const { stdout } = await script(
      'ls /proc | grep -E "^[0-9]+$" | head -1; hostname; cat /proc/self/cgroup | grep -c docker',
    );
    expect(stdout).toBe('1\nrunlet\n0\n');
  });

  it('is put first in the row when the machine runs out of memory', async () => {
    const { stdout } = await script('cat /proc/self/oom_score_adj');
    expect(stdout).toBe('500\n');
  });

  it('has a stdin that is at its end when there is none', async () => {
    const { exitCode, stdout } = await script('cat; echo end');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'end\n' });
  });

  it('starts in a folder inside of /work that it can write to, and has a HOME', async () => {
    const { stdout } = await script('pwd; touch x && echo ok; echo $HOME', { workdir: '/work/deep/inside' });
    expect(stdout).toBe('/work/deep/inside\nok\n/work\n');
  });

  it('with "writable" writes to its root where its user may, and no file larger than its disk limit', async () => {
    const made = await spec({
      writable: true,
      command: [
        'sh',
        '-c',
        'grep "Max file size" /proc/self/limits | tr -s " " | sed "s/ $//"; mount | grep " / " | grep -c "(rw"',
      ],
    });
    const { stdout } = await runSpec(made);
    expect(stdout).toBe(`Max file size ${64 * 1024 * 1024} ${64 * 1024 * 1024} bytes\n1\n`);
  });
});
