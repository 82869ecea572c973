import { readdirSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { begin } from '../../infra/sandbox-init/support.ts';
import { owner, request, sandboxOf } from '../engine/support.ts';
import type { DriverBench } from './driver.suite.ts';
import { open as openEngine } from './drivers/engine/open.ts';
import { open as openCrun } from './drivers/oci/open.ts';
import { open as openRunc } from './drivers/oci/open-runc.ts';

/**
 * What a program finds out about its own confinement, as lines of `what: value`. Only what differs between two sandboxes of the same driver is
 * left out: numbers of namespaces and devices, and where on the machine a mount is from.
 */
const questions = [
  'grep -E "^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)" /proc/self/status',
  'grep -E "^(CapEff|NoNewPrivs|Seccomp:)" /proc/1/status | sed "s/^/init /"',
  'while read -r _ _ _ _ path options _ rest; do ' +
    'type=$(echo "$rest" | sed "s/.*- //;s/ .*//"); echo "mount $path: $type $options"; done < /proc/self/mountinfo',
  'for file in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.kmem.tcp.limit_in_bytes ' +
    'cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.shares pids/pids.max memory.max memory.swap.max cpu.max cpu.weight pids.max; do ' +
    '[ -e /sys/fs/cgroup/$file ] && echo "limit $file: $(cat /sys/fs/cgroup/$file)"; done',
  'cat /proc/self/cgroup | sed "s/^/cgroup /"',
  'cat /sys/fs/cgroup/devices/devices.list 2>/dev/null | sort | sed "s/^/device /"',
  'sed "s/^/rlimit /" /proc/self/limits | tr -s " "',
  'ls -l /dev | sed "1d;s/ [A-Z][a-z][a-z] .*:[0-9][0-9] / /" | tr -s " " | sed "s/^/dev /"',
  'for path in /proc/kcore /proc/keys /proc/timer_list /proc/acpi /sys/firmware /proc/sched_debug /proc/scsi; do ' +
    'echo "masked $path: $(cat $path 2>/dev/null | head -c 4 | wc -c) $(ls $path 2>/dev/null | wc -l)"; done',
  'for name in net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range net/core/tstamp_allow_data kernel/shmmax; do ' +
    'echo "sysctl $name: $(cat /proc/sys/$name 2>/dev/null)"; done',
  'echo "hostname: $(hostname)"; cat /etc/hosts | sed "s/^/hosts /"; echo "umask: $(umask)"',
  'ls /sys/class/net | sed "s/^/interface /"; readlink /proc/self/cwd | sed "s/^/cwd /"',
].join('; ');

const opens = { engine: openEngine, crun: openCrun, runc: openRunc };
type Name = keyof typeof opens;
const benches = new Map<string, DriverBench>();
const tables = new Map<string, string[]>();
const namespaces = new Map<string, string>();

beforeAll(async () => {
  for (const [name, open] of Object.entries(opens)) {
    const bench = await open(inject('lab').dockerHost);
    benches.set(name, bench);
    const sandbox = await bench.driver.make(sandboxOf(request({}), await bench.image(), owner()));
    try {
      await sandbox.session.prepare('/work', []);
      const { text } = await begin(sandbox.session, ['sh', '-c', questions]).result;
      tables.set(name, text.split('\n').filter(Boolean).map(normal).sort());
      const own = await begin(sandbox.session, ['sh', '-c', 'for n in /proc/self/ns/*; do readlink $n; done'])
        .result;
      namespaces.set(name, own.text);
    } finally {
      await sandbox.remove();
    }
  }
});
afterAll(async () => {
  for (const { driver, close } of benches.values()) {
    await driver.close();
    close();
  }
});

/**
 * Each runtime hides files of /proc in its own way (a null device, an empty tmpfs), and binds folders of it with other flags: that they are
 * hidden, or cannot be written to, counts.
 */
function normal(line: string): string {
  const [, path = '', options = ''] = /^mount (\/proc\/\S+): \S+ (\S+)$/.exec(line) ?? [];
  if (path === '') return line;
  return /^\/proc\/(keys|timer_list|acpi|interrupts|kcore)$/.test(path)
    ? `mount ${path}: hidden`
    : `mount ${path}: ${options.split(',')[0]}`;
}

const isDevice = (line: string) => line.startsWith('device ');
/** Newer Engines hide it, too; and crun makes a link to what is hidden. */
const isExtra = (line: string) =>
  line === 'mount /proc/interrupts: hidden' || /^dev .* core -> \/proc\/kcore$/.test(line);
const table = (name: Name) => (tables.get(name) ?? []).filter((line) => !isDevice(line) && !isExtra(line));
/** The devices that may be used, where cgroups say so (v1). */
const devices = (name: Name) => (tables.get(name) ?? []).filter(isDevice);

test.each(['crun', 'runc'] as const)('a sandbox by %s is confined as one by the Engine', (name) => {
  expect(table('engine').length).toBeGreaterThan(60);
  expect(table(name)).toEqual(table('engine'));
  expect(devices('engine')).toEqual(expect.arrayContaining(devices(name)));
});

test.each(['engine', 'crun', 'runc'] as const)(
  'a sandbox by %s shares no namespace with the machine but that of users and of time',
  (name) => {
    const own = readdirSync('/proc/self/ns').map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
    const shared = own.filter((one) => (namespaces.get(name) ?? '').includes(one));
    expect(shared.map((one) => one.split(':')[0]).sort()).toEqual(expect.arrayContaining(['user']));
    for (const one of shared) expect(one).toMatch(/^(user|time)/);
  },
);
