import { constants } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bench, probeImage } from './support.ts';

const { EPERM, ENOSYS } = constants.errno;
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
  'ptrace_own_child',
];

it('lets a program do what programs do', () => {
  expect(allowed.filter((name) => results.get(name) !== 0)).toEqual([]);
});

it('answers clone3 with ENOSYS, so that every libc takes clone instead', () => {
  expect(results.get('clone3')).toBe(ENOSYS);
});

it('refuses everything else that the probe tries', () => {
  const refused = [...results].filter(([name]) => !allowed.includes(name) && name !== 'clone3');
  expect(refused.length).toBeGreaterThan(45);
  expect(refused.filter(([, errno]) => errno !== EPERM)).toEqual([]);
});
