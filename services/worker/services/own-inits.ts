import { posix } from 'node:path';

/**
 * Programs that are an init themselves: an image that starts one of them gets none of ours. Those of the first list insist on being PID 1,
 * and would not start below ours; those of the second do what ours does.
 */
const insisting = [
  // s6-overlay; and what /init is called elsewhere.
  '/init',
  's6-svscan',
  's6-overlay-suexec',
  's6-linux-init',
  // systemd, SysV and upstart, by all their names.
  '/sbin/init',
  '/usr/sbin/init',
  '/bin/init',
  '/etc/init',
  'init',
  'systemd',
  'upstart',
  // runit, OpenRC and others.
  'runit',
  'runit-init',
  'runsvinit',
  'runsvdir-start',
  'openrc-init',
  'dinit',
  'finit',
  '/linuxrc',
];
const likeOurs = [
  'tini',
  'tini-static',
  'tini-amd64',
  'tini-arm64',
  'dumb-init',
  'catatonit',
  'docker-init',
  'podman-init',
  'my_init',
  'pid1',
  'go-init',
];

const known = new Set([...insisting, ...likeOurs]);

/** Whether the image brings an init of its own, by the first word of what is executed. */
export function bringsItsInit(argv: readonly string[]): boolean {
  const [program = ''] = argv;
  if (!program.includes('/')) return known.has(program);
  const path = posix.normalize(program);
  const name = posix.basename(path);
  // Many programs are called init: one is taken for an init only at an init's usual path.
  return (path.startsWith('/') && known.has(path)) || (name !== 'init' && known.has(name));
}
