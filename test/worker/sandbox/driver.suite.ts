import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { ImageInfo } from '../../../services/worker/engine/images.ts';
import type { Owner, WarmOwner } from '../../../services/worker/labels.ts';
import type { OwnSandbox, SandboxDriver } from '../../../services/worker/sandbox/driver.ts';
import { StartFailed, type StepSpec } from '../../../services/worker/sandbox/init/session.ts';
import { resolveCommand } from '../../../services/worker/sandbox/program/command.ts';
import { programEnvironment } from '../../../services/worker/sandbox/program/environment.ts';
import type { SandboxSpec } from '../../../services/worker/sandbox/spec.ts';
import type { Lease } from '../../../services/worker/sandbox/users/run-users.ts';
import { begin } from '../../infra/sandbox-init/support.ts';
import { docker, leaseOf, owner, probeImage, request, sandboxOf } from '../engine/support.ts';

const MiB = 1024 * 1024;
const { EINVAL, ENOMEM, EPERM, EPROTONOSUPPORT, ENOSYS } = constants.errno;
const code = (wanted: string) => expect.objectContaining({ name: 'Problem', code: wanted });
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

/** A driver, and what a test has to know beside it. */
export type DriverBench = {
  driver: SandboxDriver;
  image(reference?: string): Promise<ImageInfo>;
  /** What there is of this Runlet on the machine, as others than the driver see it. */
  traces(instance: string): Promise<string[]>;
  close(): void;
};

/**
 * What every sandbox driver has to do, seen from inside of the sandboxes that it makes: a configuration that was sent proves nothing.
 *
 * @param opener the module whose `open` opens the driver: in this process, and in one that is killed
 */
export function driverSuite(name: string, opener: URL): void {
  describe(`the driver "${name}"`, () => {
    let bench: DriverBench;
    let driver: SandboxDriver;
    const { instance } = owner();
    beforeAll(async () => {
      const { open } = (await import(opener.href)) as { open(dockerHost: string): Promise<DriverBench> };
      bench = await open(inject('lab').dockerHost);
      driver = bench.driver;
    });
    afterAll(async () => {
      await driver.close();
      const traces = await bench.traces(instance);
      bench.close();
      expect(traces).toEqual([]);
    });

    const specOf = async (
      fields: Record<string, unknown> = {},
      changes: Partial<SandboxSpec> = {},
    ): Promise<SandboxSpec> => {
      const asked = request(fields);
      return { ...sandboxOf(asked, await bench.image(asked.image), owner()), ...changes };
    };

    /** One that is there and ready; gone with the test. */
    async function make(spec: SandboxSpec): Promise<OwnSandbox> {
      const sandbox = await driver.make(spec);
      onTestFinished(() => sandbox.remove());
      await sandbox.session.ready;
      return sandbox;
    }

    /** Runs what the request says, as a run does, in a sandbox of its own. */
    async function run(fields: Record<string, unknown>, changes: Partial<StepSpec> = {}) {
      const asked = request(fields);
      const image = await bench.image(asked.image);
      const spec = await specOf(fields);
      const sandbox = await make(spec);
      await sandbox.session.prepare(spec.workdir, []);
      const { entrypoint, command } = resolveCommand(asked, image, image.id);
      const env = programEnvironment(asked, image, spec.folders);
      const { end, stdout, stderr } = await begin(sandbox.session, [...entrypoint, ...command], {
        env,
        ...changes,
      }).result;
      return { sandbox, spec, end, stdout: stdout.toString(), stderr: stderr.toString() };
    }
    const script = (lines: string, more: object = {}) => run({ command: ['sh', '-c', lines], ...more });

    describe('what an image brings along', () => {
      const traits = `${inject('lab').registry}/runlet-test/traits:1`;
      beforeAll(() => docker('pull', '-q', traits));
      afterAll(() => docker('rmi', '-f', traits));

      test('counts where it does no harm: entrypoint, command, environment, folder', async () => {
        const asked = { image: traits, command: ['sh', '-c', 'pwd; echo $TRAIT; id -u'] };
        expect((await run(asked)).stdout).toMatch(/^entrypoint: sh -c .*\n\/srv\nfrom the image\n1000\n$/);
        expect((await run({ image: traits })).stdout).toContain('default command');
      });

      test('has its VOLUME as a limited, writable folder, and no volume is made for it', async () => {
        const before = docker('volume', 'ls', '-q');
        const { stdout, sandbox } = await run({
          image: traits,
          entrypoint: ['sh', '-c'],
          command: ['touch /data/x && grep " /data " /proc/mounts'],
        });
        expect(stdout).toMatch(/^tmpfs \/data tmpfs rw,nosuid,nodev,relatime,size=65536k.*nr_inodes/);
        expect(docker('volume', 'ls', '-q')).toBe(before);
        await sandbox.remove();
      });
    });

    describe('the posture of a sandbox', () => {
      test('no capability, no way to new privileges, and a seccomp filter', async () => {
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

      test('a numeric user that is not root, in no other group', async () => {
        const { stdout } = await script('id -u; id -g; id -G');
        expect(stdout).toBe('1000\n1000\n1000\n');
      });

      test('a root that cannot be written to, and folders that can', async () => {
        const { stdout } = await script(
          'for d in / /etc /bin /usr /root /proc/sys /sys; do touch $d/x 2>/dev/null && echo $d; done; ' +
            'for d in /work /tmp /dev/shm "$HOME" .; do touch $d/x && echo ok; done; mount | grep " / "',
        );
        expect(stdout).toMatch(/^(ok\n){5}overlay on \/ type overlay \(ro,/);
      });

      test('folders of the size that was asked for, where programs may be executed but no device or setuid counts', async () => {
        const { stdout } = await script(
          'grep -E " (/work|/tmp|/dev/shm) " /proc/mounts | sort; dd if=/dev/zero of=/work/big bs=64k 2>&1 | grep -o "No space.*"; ' +
            'ls -l /work/big | awk "{print \\$5}"; printf "#!/bin/sh\\necho executed" > /tmp/x; chmod +x /tmp/x; /tmp/x',
          { limits: { diskBytes: 5 * MiB } },
        );
        const lines = stdout.trim().split('\n');
        expect(lines.slice(0, 3)).toEqual([
          expect.stringMatching(/^shm \/dev\/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=5120k/),
          expect.stringMatching(/^tmpfs \/tmp tmpfs rw,nosuid,nodev,relatime,size=5120k,nr_inodes=1280/),
          expect.stringMatching(/^tmpfs \/work tmpfs rw,nosuid,nodev,relatime,size=5120k,nr_inodes=1280/),
        ]);
        expect(lines.slice(3)).toEqual(['No space left on device', String(5 * MiB), 'executed']);
      });

      test('no way to fill the kernel’s memory with empty files', async () => {
        // Not `:`, which is a special builtin: where one of those cannot be redirected, the shell ends.
        const { stdout } = await script(
          'i=0; while true > /work/$i; do i=$((i+1)); done 2>/dev/null; echo $i',
          {
            limits: { diskBytes: MiB },
          },
        );
        expect(Number(stdout)).toBeLessThanOrEqual(1024);
        expect(Number(stdout)).toBeGreaterThan(500);
      });

      test('no network but its own loopback', async () => {
        const { stdout } = await script('ls /sys/class/net; cat /proc/net/route | tail -n +2');
        expect(stdout).toBe('lo\n');
      });

      test('no process but its own, and a host name that says nothing', async () => {
        const { stdout } = await script(
          'ls /proc | grep -E "^[0-9]+$" | head -1; hostname; cat /proc/self/cgroup | grep -c docker',
        );
        expect(stdout).toBe('1\nrunlet\n0\n');
      });

      test('the first in the row when the machine runs out of memory', async () => {
        const { stdout } = await script('cat /proc/self/oom_score_adj /proc/1/oom_score_adj');
        // Before the init, which then still says why it ended.
        expect(stdout).toBe('1000\n500\n');
      });

      test('a stdin that is at its end when there is none', async () => {
        const { end, stdout } = await script('cat; echo end');
        expect({ exitCode: end.exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'end\n' });
      });

      test('a folder inside of /work to start in that it can write to, and a HOME', async () => {
        const { stdout } = await script('pwd; touch x && echo ok; echo $HOME', {
          workdir: '/work/deep/inside',
        });
        expect(stdout).toBe('/work/deep/inside\nok\n/work\n');
      });

      test('with "writable" a root that its user may write to, and no file larger than its disk limit', async () => {
        const { stdout } = await script(
          'grep "Max file size" /proc/self/limits | tr -s " " | sed "s/ $//"; mount | grep " / " | grep -c "(rw"',
          { writable: true },
        );
        expect(stdout).toBe(`Max file size ${64 * MiB} ${64 * MiB} bytes\n1\n`);
      });

      test('the files that the spec has over the image’s, which cannot be written to', async () => {
        const passwd = (uid: number) => Buffer.from(`me:x:${uid}:${uid}::/work:/bin/sh\n`);
        const files: SandboxSpec['files'] = ({ uid }) => [
          { name: 'passwd', path: '/etc/passwd', data: passwd(uid) },
        ];
        const user = { uid: 1_234_567, gid: 1_234_567 };
        const lease: Lease = { ...leaseOf(user), batch: [user, { uid: 1_234_568, gid: 1_234_568 }] };
        const spec = await specOf();
        const folders = spec.folders.map((one) => ({ ...one, ...user }));
        const { session } = await make({ ...spec, folders, lease, files, userName: 'me' });
        await session.prepare('/work', []);
        const { text, stderr } = await begin(session, [
          'sh',
          '-c',
          'id -un; cat /etc/passwd; echo x > /etc/passwd',
        ]).result;
        expect(text).toBe(`me\n${passwd(user.uid)}`);
        expect(stderr.toString()).toMatch(/Read-only file system|Permission denied/);
      });
    });

    describe('the limits of a sandbox', () => {
      /** Each in the words of whichever version of cgroups there is. */
      const seen =
        'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; ' +
        'cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; ' +
        'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d " " -f 1 /sys/fs/cgroup/cpu.max';

      test('processes', async () => {
        const { stdout, stderr } = await script(
          'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done',
          { limits: { pids: 6 } },
        );
        // The init is one of them.
        expect(stdout.trim()).toBe('7');
        expect(stderr).toMatch(/can't fork/);
      });

      test('open files and core files, and no memory beyond its own', async () => {
        const { stdout } = await script(
          'grep -E "open files|core file" /proc/self/limits | tr -s " "; ' +
            'cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null',
          { limits: { memoryBytes: 64 * MiB } },
        );
        expect(stdout.split('\n').map((line) => line.trim())).toEqual([
          'Max core file size 1 1 bytes',
          'Max open files 4096 4096 files',
          String(64 * MiB),
          '',
        ]);
      });

      test('memory: the kernel kills what takes more, and that is told', async () => {
        const { sandbox, end } = await script('head -c 100m /dev/zero | tail', {
          limits: { memoryBytes: 16 * MiB },
        });
        expect(end.exitCode).not.toBe(0);
        // The driver's word counts where the init cannot see it: an engine's comes with the container's end.
        expect(end.oomKills === null ? await sandbox.ranOutOfMemory() : end.oomKills > 0).toBe(true);
      });

      test('and nothing is said of memory where something else ended a program', async () => {
        const { sandbox, end } = await script('kill -9 $$');
        expect(end).toMatchObject({ exitCode: null, signal: 9 });
        expect([await sandbox.ranOutOfMemory(), await sandbox.lostBy()]).toEqual([false, 'unknown']);
      });

      test('others, given to a sandbox that is there', async () => {
        const limits = { memoryBytes: 128 * MiB, pids: 20, cpus: 0.5 };
        const spec = await specOf({ limits: { memoryBytes: 64 * MiB, pids: 9, cpus: 1 } });
        const sandbox = await make(spec);
        expect(sandbox.limits).toEqual({ memoryBytes: 64 * MiB, pids: 10, cpus: 1 });
        await sandbox.session.prepare('/work', []);
        const before = await begin(sandbox.session, ['sh', '-c', seen]).result;
        expect(before.text.trim().split('\n')).toEqual(['10', String(64 * MiB), '100000']);
        await sandbox.update(limits);
        const after = await begin(sandbox.session, ['sh', '-c', seen]).result;
        expect(after.text.trim().split('\n')).toEqual(['20', String(128 * MiB), '50000']);
      });
    });

    test('a memory limit below what lies in its folders is refused, or the kernel ends it for that', async () => {
      const sandbox = await make(await specOf({ limits: { memoryBytes: 128 * MiB } }));
      await sandbox.session.prepare('/work', []);
      await begin(sandbox.session, ['sh', '-c', 'head -c 50m /dev/zero > /work/big']).result;
      const limits = { ...sandbox.limits, memoryBytes: 16 * MiB };
      const refused = await sandbox.update(limits).then(
        () => undefined,
        (error) => error,
      );
      if (refused === undefined) expect(await sandbox.lostBy()).toBe('memory');
      else expect(refused).toEqual(code('memory_limit'));
      // What is refused changes nothing.
      if (refused !== undefined) {
        const { text } = await begin(sandbox.session, ['sh', '-c', 'rm /work/big; echo here']).result;
        expect(text).toBe('here\n');
        await sandbox.update(limits);
      }
    });

    describe('what a program may ask of the kernel', () => {
      let probe: ReturnType<typeof probeImage>;
      let results: Map<string, number>;
      beforeAll(async () => {
        probe = probeImage('syscalls');
        const spec = await specOf({ image: probe.reference });
        const sandbox = await driver.make(spec);
        await sandbox.session.prepare('/work', []);
        const { end, text, stderr } = await begin(sandbox.session, ['/probe'], { env: {} }).result;
        await sandbox.remove();
        expect({ exitCode: end.exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: '' });
        results = new Map(
          text
            .trim()
            .split('\n')
            .map((line) => line.split('='))
            .map(([call = '', errno]) => [call, Number(errno)]),
        );
      });
      afterAll(async () => {
        await driver.letGo((await bench.image(probe.reference)).id);
        probe.remove();
      });

      test('is what programs do', () => {
        expect(allowed.filter((call) => results.get(call) !== 0)).toEqual([]);
      });

      test.each(Object.entries(unknown))(
        '%s is answered as by a kernel that does not know it',
        (call, errno) => {
          expect(results.get(call)).toBe(errno);
        },
      );

      test('is nothing else that the probe tries', () => {
        const refused = [...results].filter(([call]) => !allowed.includes(call) && !(call in unknown));
        expect(refused.length).toBeGreaterThan(78);
        expect(refused.filter(([, errno]) => errno !== EPERM)).toEqual([]);
      });
    });

    describe('a session', () => {
      test('brings files in and out, bit for bit', async () => {
        const { session } = await make(await specOf());
        const data = randomBytes(300_000);
        await session.prepare('/work', [
          { path: 'deep/in.bin', data, mode: 0o400 },
          { path: 'run.sh', data: Buffer.from('#!/bin/sh\necho "I am $0"\n'), mode: 0o755 },
        ]);
        const lines =
          'sha256sum < deep/in.bin; stat -c "%a %u" deep/in.bin run.sh; ./run.sh; cp deep/in.bin out';
        const { text } = await begin(session, ['sh', '-c', `${lines}; ln -s /etc/passwd link; rm run.sh`])
          .result;
        expect(text.split('\n')).toEqual([`${sha256(data)}  -`, '400 1000', '755 1000', 'I am ./run.sh', '']);
        const { files } = await session.list(100);
        expect(files.map(({ path }) => path).sort()).toEqual(['deep/in.bin', 'out']);
        const pieces: Buffer[] = [];
        for await (const piece of session.read('out')) pieces.push(piece);
        expect(sha256(Buffer.concat(pieces))).toBe(sha256(data));
        await expect(async () => {
          for await (const _ of session.read('link'));
        }).rejects.toThrow(StartFailed);
        await session.unlink('out');
        expect((await session.list(100)).files.map(({ path }) => path)).toEqual(['deep/in.bin']);
      });

      test('hands on signals and what is written, and hears of the end', async () => {
        const { session } = await make(await specOf());
        await session.prepare('/work', []);
        const trap = begin(session, [
          'sh',
          '-c',
          'trap "echo caught; exit 3" USR1; echo up; while :; do sleep 0.1; done',
        ]);
        await trap.says('up');
        trap.signal(constants.signals.SIGUSR1);
        expect(await trap.result).toMatchObject({ text: 'up\ncaught\n', end: { exitCode: 3, signal: null } });
        const killed = begin(session, ['sleep', '60']);
        await killed.started;
        killed.signal(constants.signals.SIGTERM);
        expect(await killed.result).toMatchObject({ end: { exitCode: null, signal: 15 } });
        const data = randomBytes(MiB);
        const sum = begin(session, ['sha256sum'], { stdin: true });
        await sum.stdin.write(data);
        sum.stdin.end();
        expect((await sum.result).text).toBe(`${sha256(data)}  -\n`);
      });

      test('leaves no process of a step to the next', async () => {
        const { session } = await make(await specOf());
        await session.prepare('/work', []);
        await begin(session, ['sh', '-c', '(setsid sleep 600 &); sleep 0.2']).result;
        const { text } = await begin(session, ['ps', '-o', 'comm']).result;
        expect(text.split('\n')).toEqual(['COMMAND', 'init', 'ps', '']);
      });

      test('is over when its sandbox is killed, or removed, which may be twice', async () => {
        for (const end of ['kill', 'remove'] as const) {
          const sandbox = await make(await specOf());
          await sandbox.session.prepare('/work', []);
          const running = begin(sandbox.session, ['sleep', '600']);
          await running.started;
          await sandbox[end]();
          await expect(running.result).rejects.toThrow();
          await sandbox.session.closed;
          await sandbox.remove();
        }
      });
    });

    describe('what there is of it', () => {
      const mine = async (one: Owner) =>
        (await driver.left(instance)).filter(
          ({ owner: { owner: found } }) => JSON.stringify(found) === JSON.stringify(one.owner),
        );

      test.each(['run', 'warm'] as const)('is told by whose it is, and goes: of a %s', async (of) => {
        const { run: id, worker } = owner();
        const warm: WarmOwner = { warm: `wrm_${id}`, worker, instance };
        const whose = of === 'warm' ? ({ of, owner: warm } as const) : ({ of, owner: owner() } as const);
        const sandbox = await make(await specOf({}, { owner: whose }));
        const [found, ...others] = await mine(whose);
        expect(others).toEqual([]);
        expect(found).toMatchObject({ id: sandbox.id, owner: { of } });
        await found?.remove();
        await found?.remove();
        await sandbox.session.closed;
        expect(await mine(whose)).toEqual([]);
      });

      test('is told by whose it is also after a run has claimed it', async () => {
        const { run: id, worker, attempt } = owner();
        const whose = { of: 'warm', owner: { warm: `wrm_${id}`, worker, instance } } as const;
        const sandbox = await make(await specOf({}, { owner: whose }));
        const [before] = await mine(whose);
        await sandbox.claim({ run: id, attempt });
        const [after] = await mine(whose);
        expect(after).toMatchObject({ id: before?.id, owner: whose });
        expect(after?.name).toContain(id);
      });

      test('is not told to another Runlet', async () => {
        await make(await specOf());
        expect(await driver.left(`${instance}-another`)).toEqual([]);
      });

      test('is nothing where none could be made; the user is given back then, and after a removal', async () => {
        const ended: string[] = [];
        const leased = (what: string): Lease => ({
          ...leaseOf(),
          end: async (remove) => {
            await remove();
            ended.push(what);
          },
        });
        const bad = await specOf({}, { lease: leased('bad'), image: `sha256:${'0'.repeat(64)}` });
        await expect(driver.make(bad)).rejects.toThrow(code('image_not_present'));
        await expect.poll(() => ended).toEqual(['bad']);
        expect(await mine(bad.owner)).toEqual([]);
        const sandbox = await make(await specOf({}, { lease: leased('good') }));
        expect(ended).toEqual(['bad']);
        await sandbox.remove();
        expect(ended).toEqual(['bad', 'good']);
      });

      // As a worker that is killed: nobody has cleared anything away.
      test.each([0, 50, 150, 300])(
        'of one whose process died %i ms into it is told, and goes',
        async (ms) => {
          const whose = owner();
          const specs = [
            { ...whose, attempt: 1 },
            { ...whose, attempt: 2 },
          ];
          const child = spawn(
            process.execPath,
            [
              new URL('./half-way.ts', import.meta.url).pathname,
              opener.href,
              inject('lab').dockerHost,
              JSON.stringify(specs),
            ],
            { stdio: ['ignore', 'pipe', 'inherit'] },
          );
          const exited = once(child, 'exit');
          await once(child.stdout, 'data');
          await sleep(ms);
          child.kill('SIGKILL');
          await exited;
          const left = async () =>
            (await driver.left(instance)).filter(
              ({ owner: one }) => one.of === 'run' && one.owner.run === whose.run,
            );
          // What had been asked for may still come.
          await sleep(1_000);
          for (const one of await left()) await one.remove();
          await expect
            .poll(async () => (await bench.traces(instance)).filter((one) => one.includes(whose.run)), {
              timeout: 60_000,
            })
            .toEqual([]);
          expect(await left()).toEqual([]);
        },
      );
    });

    describe('what it offers', () => {
      test('is what it does not refuse', () => {
        const shape = { network: 'none', writable: false } as const;
        const offered = driver.isolations();
        expect(offered).toContain('container');
        for (const isolation of ['container', 'gvisor'] as const) {
          const refusal = driver.refuses({ ...shape, isolation });
          if (offered.includes(isolation)) expect(refusal).toBeNull();
          else expect(refusal).toEqual(code('isolation_unavailable'));
        }
      });

      test('is a pace of one at least', () => {
        expect(Math.min(driver.pace.making, driver.pace.removing)).toBeGreaterThanOrEqual(1);
      });
    });
  });
}

const allowed = [
  'clone_plain',
  'personality_linux',
  'socket_unix',
  'socket_inet',
  'socket_inet6',
  'socket_netlink_route',
  'socket_unix_seqpacket',
  'socket_tcp',
  'socket_udp6',
  'option_reuse_address',
  'option_receive_buffer',
  'option_no_delay',
  'option_user_timeout',
  'option_fast_open',
  'option_v6_only',
  'option_class6',
  'option_type_of_service',
  'option_error_queue',
  'option_multicast_ttl',
  'option_multicast_all',
  'option_bind_by_index',
  'option_peek_offset',
  'ioctl_terminal_size',
  'ioctl_not_blocking',
  'ioctl_flags',
  'ioctl_clone',
  'ioctl_clone_range',
  'ioctl_terminal_lock',
  'lock_of_process',
  'ptrace_own_child',
];

/** As of a kernel without it, so that programs take what they have instead. */
const unknown = {
  clone3: ENOSYS,
  io_setup: ENOSYS,
  socket_mptcp: EPROTONOSUPPORT,
  // The kernel looks at 32 bits of it; so must the filter.
  socket_mptcp_high_bits: EPROTONOSUPPORT,
  huge_map: ENOMEM,
  huge_file: ENOMEM,
  huge_shared: ENOMEM,
  lock_of_description: EINVAL,
  lock_of_description_high_bits: EINVAL,
};
