import { expect, test } from 'vitest';
import { findCgroups } from '../../../../../services/worker/sandbox/drivers/oci/cgroups.ts';

const mount = (at: string, type: string, options: string) =>
  `30 24 0:26 / ${at} rw,relatime shared:9 - ${type} ${type} ${options}`;
const v1 = ['memory', 'cpu,cpuacct', 'pids', 'freezer'].map((name) =>
  mount(`/sys/fs/cgroup/${name}`, 'cgroup', `rw,${name}`),
);
const enteredOn = (lines: string[]) => findCgroups(false, { mountinfo: lines.join('\n') }).of('one').enter;

test('on v1, also with v2 beside it, each hierarchy is entered', () => {
  const hybrid = [mount('/sys/fs/cgroup/unified', 'cgroup2', 'rw'), ...v1];
  for (const lines of [v1, hybrid])
    expect(enteredOn(lines)).toEqual([
      'v1 /sys/fs/cgroup/memory/runlet/one/tasks',
      'v1 /sys/fs/cgroup/cpu,cpuacct/runlet/one/tasks',
      'v1 /sys/fs/cgroup/pids/runlet/one/tasks',
      'v1 /sys/fs/cgroup/freezer/runlet/sandboxes/tasks',
    ]);
});

test('on v2 there is one', () => {
  expect(enteredOn([mount('/sys/fs/cgroup', 'cgroup2', 'rw,nsdelegate')])).toEqual([
    'v2 /sys/fs/cgroup/runlet/one',
  ]);
});

test('those that the engine’s data show of other containers are not this machine’s', () => {
  const others = v1.map((line) =>
    line.replace('/sys/fs/cgroup', '/var/lib/docker/overlay2/a1/merged/sys/fs/cgroup'),
  );
  expect(enteredOn([...others, ...v1])).toEqual(enteredOn(v1));
  expect(() => enteredOn(others)).toThrow('no cgroup controller for memory, cpu, pids is mounted');
});
