import { expect, test } from 'vitest';
import { notExecuted } from '../../../services/worker/services/not-executed.ts';
import { bringsItsInit } from '../../../services/worker/services/own-inits.ts';

test.each([
  // s6-overlay, LinuxServer's images.
  [['/init'], true],
  [['/init', '/app/start'], true],
  [['/bin/s6-svscan', '/etc/s6'], true],
  // systemd and its relatives.
  [['/sbin/init'], true],
  [['//sbin/./init'], true],
  [['/lib/systemd/systemd'], true],
  [['/usr/lib/systemd/systemd', '--system'], true],
  [['systemd'], true],
  [['init'], true],
  // runit, OpenRC, phusion.
  [['/sbin/runit-init'], true],
  [['runsvdir-start'], true],
  [['/sbin/openrc-init'], true],
  [['/sbin/my_init', '--', 'bash'], true],
  // Small ones.
  [['/sbin/tini', '--', '/entrypoint.sh'], true],
  [['tini', '-s', '--', 'node'], true],
  [['/usr/bin/tini-static', '--', 'java'], true],
  [['/usr/local/bin/dumb-init', '--', 'node'], true],
  [['/usr/bin/catatonit', '--', 'sh'], true],
  [['/sbin/docker-init', '--', 'sh'], true],
  // And what is none.
  [['nginx', '-g', 'daemon off;'], false],
  [['docker-entrypoint.sh', 'tini'], false],
  [['sh', '-c', 'exec /init'], false],
  [['/app/init'], false],
  [['./init'], false],
  [['/opt/tini/bin/server'], false],
  [['supervisord'], false],
  [[''], false],
  [[], false],
])('%j brings its init: %j', (argv, expected) => {
  expect(bringsItsInit(argv)).toBe(expected);
});

test('the init’s word on what it could not execute is told as a run’s is', () => {
  const codeOf = (line: string) => notExecuted(line)?.code;
  expect(codeOf('runlet-init: cannot execute no-such: error 2\n')).toBe('command_not_found');
  expect(codeOf('runlet-init: cannot execute a: error 3: error 13\n')).toBe('command_not_executable');
  expect(codeOf('runlet-init: cannot execute : error 2\n')).toBe('command_not_found');
  expect(codeOf('runlet-init: cannot execute /a: error 8\n')).toBe('start_failed');
  expect(codeOf('sh: no-such: not found\n')).toBeUndefined();
  expect(codeOf('x runlet-init: cannot execute a: error 2\n')).toBeUndefined();
  expect(codeOf('')).toBeUndefined();
});
