import { constants } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bench, probeImage } from './support.ts';

const { EINVAL, ENOMEM, EPERM, EPROTONOSUPPORT, ENOSYS, ENOTTY } = constants.errno;
const { run } = bench();
let probe: ReturnType<typeof probeImage>;
let results: Map<string, number>;

beforeAll(async () => {
  probe = probeImage('syscalls');
  const { exitCode, stdout, stderr } = await run({ image: probe.reference });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  results = new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('='))
      .map(([name = '', errno]) => [name, Number(errno)]),
  );
});
afterAll(() => probe.remove());

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
  'lock_of_process',
  'ioctl_get_flags',
  'ioctl_others',
  'ptrace_own_child',
];

it('lets a program do what programs do', () => {
  expect(allowed.filter((name) => results.get(name) !== 0)).toEqual([]);
});

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
  // With them a folder leaves its project, and its quota.
  ioctl_set_flags: ENOTTY,
  ioctl_set_flags_high_bits: ENOTTY,
  ioctl_set_attributes: ENOTTY,
};

it.each(Object.entries(unknown))('answers %s as a kernel that does not know it', (name, errno) => {
  expect(results.get(name)).toBe(errno);
});

it('refuses everything else that the probe tries', () => {
  const refused = [...results].filter(([name]) => !allowed.includes(name) && !(name in unknown));
  expect(refused.length).toBeGreaterThan(70);
  expect(refused.filter(([, errno]) => errno !== EPERM)).toEqual([]);
});
