import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostFacts } from '../../shared/contracts/host-facts.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { cleanUp, runCli } from './support/cli.ts';
import { StubApi } from './support/stub-api.ts';
import { healthy } from './support/stub-worker.ts';

const GiB = 1024 ** 3;

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
  api.workers = [healthy];
});
afterEach(() => api.stop());
afterAll(cleanUp);

type Report = {
  status: string;
  checks: { name: string; status: string; detail: string; remedy: string | null }[];
};

async function doctor(
  options = {},
): Promise<Report & { code: number | null; at: (name: string) => Report['checks'][0] | undefined }> {
  const { code, out } = await runCli(['doctor', '--json'], { url: api.url, ...options });
  const report = JSON.parse(out) as Report;
  return { ...report, code, at: (name) => report.checks.find((check) => check.name === name) };
}
const engine = (more: Partial<Worker['engine']>): Worker => ({
  ...healthy,
  engine: { ...healthy.engine, ...more },
});
const on = (host: Partial<HostFacts>, more: Partial<Worker['engine']> = {}): Worker => ({
  ...engine(more),
  host: { ...(healthy.host as HostFacts), ...host },
});

describe('runlet doctor', () => {
  it('finds nothing where all is well', async () => {
    const report = await doctor();
    expect(report).toMatchObject({ code: 0, status: 'ok' });
    expect(report.checks.map(({ name }) => name)).toEqual([
      'config',
      'key',
      'server',
      'clock',
      'ready',
      'redis',
      'key accepted',
      'worker node-a',
      'worker node-a: drivers',
      'worker node-a: disk',
      'worker node-a: engine version',
      'worker node-a: runc version',
      'worker node-a: users of runs',
      'worker node-a: cgroups',
      'worker node-a: local users',
      'worker node-a: connections',
      'worker node-a: core dumps',
      'worker node-a: user namespaces',
      'worker node-a: swap',
      'worker node-a: processes',
      'worker node-a: sent data',
      'worker node-a: kernel log',
    ]);
    const plain = await runCli(['doctor'], { url: api.url });
    expect(plain.out).toMatch(/^ok {7}server: /m);
    expect(plain.out.trimEnd().split('\n').at(-1)).toBe(`${report.checks.length} ok`);
  });

  it('says what to do when nothing answers', async () => {
    const report = await doctor({ url: 'http://127.0.0.1:1' });
    expect(report).toMatchObject({ code: 1, status: 'failed' });
    expect(report.at('server')).toMatchObject({
      status: 'failed',
      remedy: expect.stringContaining('npm start'),
    });
    expect(report.at('workers')?.status).toBe('skipped');
  });

  it('tells a missing key from a refused one', async () => {
    const none = await doctor({ env: { RUNLET_API_KEY: undefined } });
    expect(none.at('key')).toMatchObject({
      status: 'failed',
      remedy: expect.stringContaining('RUNLET_API_KEY'),
    });
    expect(none.at('ready')?.status).toBe('ok');
    const wrong = await doctor({ env: { RUNLET_API_KEY: 'rk_wrong_0123456789' } });
    expect(wrong.at('key accepted')).toMatchObject({ status: 'failed' });
    expect(JSON.stringify(wrong.checks)).not.toContain('rk_wrong_0123456789');
  });

  it('passes on why the server is not ready', async () => {
    const body = {
      type: 'about:blank',
      title: 'The store cannot be reached',
      status: 503,
      detail: 'connect ECONNREFUSED',
      code: 'store_unavailable',
    };
    api.readiness = { status: 503, body };
    const report = await doctor();
    expect(report.code).toBe(1);
    expect(report.at('ready')).toMatchObject({
      detail: 'The store cannot be reached: connect ECONNREFUSED',
      remedy: expect.stringContaining('RUNLET_REDIS_URL'),
    });
  });

  it('refuses an old Redis', async () => {
    api.readiness.body = { status: 'ready', redis: { version: '6.2.14' }, workers: 1 };
    expect((await doctor()).at('redis')).toMatchObject({
      status: 'failed',
      remedy: expect.stringContaining('Redis 7'),
    });
  });

  it('sees clocks that differ', async () => {
    api.dateSkewMs = -120_000;
    expect((await doctor()).at('clock')).toMatchObject({
      status: 'warning',
      detail: expect.stringContaining('behind'),
    });
  });

  it('looks at every worker: state, engine, disk', async () => {
    api.workers = [
      { ...healthy, name: 'b', status: 'engine_unavailable' },
      { ...healthy, name: 'c', status: 'draining', disk: { totalBytes: 100 * GiB, freeBytes: 9 * GiB } },
      { ...healthy, name: 'd', disk: { totalBytes: 10 * GiB, freeBytes: 1.9 * GiB } },
      { ...healthy, name: 'e', disk: null },
    ];
    const report = await doctor();
    expect(report.code).toBe(1);
    expect(report.at('worker b')).toMatchObject({
      status: 'failed',
      remedy: expect.stringContaining('DOCKER_HOST'),
    });
    expect(report.at('worker c')?.status).toBe('warning');
    expect(report.at('worker c: disk')).toMatchObject({
      status: 'warning',
      remedy: expect.stringContaining('rmi'),
    });
    expect(report.at('worker d: disk')?.status).toBe('warning');
    expect(report.at('worker e: disk')?.status).toBe('skipped');
    api.workers = [];
    expect((await doctor()).at('workers')?.status).toBe('failed');
  });

  it('says what starts sandboxes, and what would be faster', async () => {
    const checkOf = async (drivers: Worker['drivers'], more: Partial<Worker> = {}) => {
      api.workers = [{ ...healthy, ...more, drivers }];
      return (await doctor()).at('worker node-a: drivers');
    };
    const engineToo = { name: 'engine', runtime: null, unavailable: null } as const;
    const direct = (runtime: string) => [{ name: 'oci' as const, runtime, unavailable: null }, engineToo];
    const none = (unavailable: string, remedy?: string) => [
      { name: 'oci' as const, runtime: null, unavailable, ...(remedy && { remedy }) },
      engineToo,
    ];
    const crun = await checkOf(direct('crun 1.8.1'));
    expect(crun).toMatchObject({ status: 'ok', detail: expect.stringMatching(/^oci \(crun 1\.8\.1\)/) });
    expect(crun?.detail).not.toContain('would');
    expect(await checkOf(direct('runc 1.1.5'))).toMatchObject({
      status: 'ok',
      detail: expect.stringMatching(/^oci \(runc 1\.1\.5\).*crun.*14 ms, not 31/),
    });
    expect(await checkOf(none('neither is installed', 'Install crun.'))).toMatchObject({
      status: 'warning',
      detail: expect.stringMatching(/^the engine starts all.*: neither is installed/),
      remedy: 'Install crun.',
    });
    expect(await checkOf(none('the engine is on another machine'), { host: null })).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('on another machine'),
      remedy: null,
    });
    expect(await checkOf(undefined)).toBeUndefined();
  });

  it('says whether quotas hold the limits on disks, or a watch', async () => {
    const detailOf = async (disksSeen: boolean, roots: boolean, volumes: boolean) => {
      api.workers = [{ ...healthy, disksSeen, diskQuotas: { roots, volumes } }];
      const { status, detail } = (await doctor()).at('worker node-a: disk limits') ?? {};
      return `${status}: ${detail}`;
    };
    expect(await detailOf(true, true, true)).toMatch(
      /^ok: project quotas for roots and named volumes; what these leave out is watched/,
    );
    expect(await detailOf(true, false, true)).toMatch(
      /^ok: project quotas for named volumes; a watch for the rest.*XFS.*pquota/,
    );
    expect(await detailOf(true, false, false)).toMatch(/^ok: a watch for all.*XFS.*pquota/);
    expect(await detailOf(false, true, true)).toMatch(
      /^warning: project quotas for roots and named volumes; its engine alone/,
    );
    expect(await detailOf(false, false, false)).toMatch(
      /^warning: its engine alone tells what containers write: /,
    );
  });

  it('fails an engine that a program could break out of', async () => {
    api.workers = [engine({ runcVersion: '1.1.11' })];
    const report = await doctor();
    expect(report.code).toBe(1);
    const found = report.at('worker node-a: runc version');
    expect(found).toMatchObject({ status: 'failed', detail: expect.stringContaining('CVE-2024-21626') });
    expect(found?.remedy).toContain('1.1.12');
  });

  it('only warns of a distribution’s package, which may have the fix', async () => {
    api.workers = [engine({ version: '20.10.24+dfsg1', runcVersion: '1.1.5+ds1-1+deb12u1' })];
    const report = await doctor();
    expect(report).toMatchObject({ code: 0, status: 'warning' });
    expect(report.at('worker node-a: runc version')).toMatchObject({
      status: 'warning',
      remedy: expect.stringContaining('check with your distribution'),
    });
  });

  it('says what runs share where all have one user', async () => {
    const users = async (runUser: unknown) => {
      api.workers = [{ ...healthy, runUser } as Worker];
      return (await doctor()).at('worker node-a: users of runs');
    };
    expect(await users(null)).toMatchObject({ status: 'ok', remedy: null });
    expect(await users('1000:1000')).toMatchObject({
      status: 'warning',
      detail: expect.stringMatching(/the user 1000:1000 .*inotify.*pending signals/),
      remedy: expect.stringContaining('Unset RUNLET_RUN_USER'),
    });
    api.workers = [engine({ userNamespace: true })];
    expect((await doctor()).at('worker node-a: users of runs')).toMatchObject({
      status: 'warning',
      detail: expect.stringMatching(/to the owner of its user namespace as well.*inotify/),
      remedy: expect.stringContaining('userns-remap'),
    });
    // As a worker of an earlier version registers.
    expect(await users(undefined)).toMatchObject({ status: 'warning', remedy: 'Update the worker.' });
  });

  it('says what a machine leaves open, each with what to do', async () => {
    const open: Partial<HostFacts> = {
      conntrackMax: 16_384,
      corePattern: '|/usr/share/apport/apport %p',
      userNamespaces: 'everybody',
      swap: 'not_counted',
      pidMax: 32_768,
      sentDataReturned: true,
      kernelLogRestricted: false,
    };
    api.workers = [on(open, { cgroupVersion: '1' })];
    const report = await doctor();
    expect(report).toMatchObject({ code: 0, status: 'warning' });
    const said = (name: string) => `${report.at(`worker node-a: ${name}`)?.detail}`;
    const remedy = (name: string) => `${report.at(`worker node-a: ${name}`)?.remedy}`;
    expect(remedy('cgroups')).toContain('unified_cgroup_hierarchy=1');
    expect(said('connections')).toContain(
      '1024 for each run or service with egress, and 8 of them at a time',
    );
    expect(remedy('connections')).toContain('nf_conntrack_max=32768');
    expect(said('core dumps')).toContain('/usr/share/apport/apport');
    expect(remedy('core dumps')).toContain('kernel.core_pattern=core');
    expect(remedy('user namespaces')).toContain('user.max_user_namespaces=0');
    expect(remedy('swap')).toContain('swapaccount=1');
    expect(remedy('processes')).toContain('kernel.pid_max');
    expect(remedy('sent data')).toContain('tstamp_allow_data=0');
    expect(remedy('kernel log')).toContain('kernel.dmesg_restrict=1');
  });

  it('says what the firewall cannot do', async () => {
    const firewall = { problem: null, connections: null, localUsersKeptOut: false };
    api.workers = [on({ firewall })];
    const bare = await doctor();
    expect(bare).toMatchObject({ code: 0, status: 'warning' });
    expect(bare.at('worker node-a: local users')).toMatchObject({
      status: 'warning',
      remedy: expect.stringContaining('xt_owner'),
    });
    expect(bare.at('worker node-a: connections')?.remedy).toContain('xt_connlimit');
    api.workers = [on({ firewall: { ...firewall, problem: 'iptables cannot be run' } })];
    expect((await doctor()).at('worker node-a: firewall')).toMatchObject({
      status: 'warning',
      detail: expect.stringContaining('iptables cannot be run'),
    });
  });

  it('says of an engine on another machine what stays open there, and that it cannot see the rest', async () => {
    api.workers = [{ ...engine({ cgroupVersion: '1' }), host: null }];
    const report = await doctor();
    expect(report.at('worker node-a: cgroups')?.detail).toContain('not on the engine’s machine');
    expect(report.at('worker node-a: host')?.status).toBe('skipped');
  });

  it('claims nothing of another engine than Docker’s', async () => {
    api.workers = [engine({ name: 'Podman Engine', version: '5.4.0', runcVersion: null })];
    expect((await doctor()).at('worker node-a: engine version')?.status).toBe('skipped');
  });
});
