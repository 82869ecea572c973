import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readHostFacts } from '../../../services/worker/node/host-facts.ts';

const firewall = { problem: null, connections: 16, localUsersKeptOut: true };

/** What is read of a machine that has these files. */
function factsOf(files: Record<string, string>) {
  const root = `${mkdtempSync(join(tmpdir(), 'runlet-facts-'))}/`;
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return readHostFacts(firewall, root);
}

describe('facts of the host', () => {
  it('are what its kernel says', () => {
    const facts = factsOf({
      'proc/sys/net/netfilter/nf_conntrack_max': '65536\n',
      'proc/sys/kernel/core_pattern': '|/bin/handler %p\n',
      'proc/sys/user/max_user_namespaces': '4096\n',
      'proc/meminfo': 'MemTotal: 8 kB\nSwapTotal:       1024 kB\n',
      'proc/sys/kernel/pid_max': '32768\n',
      'proc/sys/kernel/pty/max': '4096\n',
      'proc/sys/net/core/tstamp_allow_data': '1\n',
      'proc/sys/kernel/dmesg_restrict': '0\n',
    });
    expect(facts).toEqual({
      conntrackMax: 65_536,
      corePattern: '|/bin/handler %p',
      userNamespaces: 'everybody',
      swap: 'counted',
      pidMax: 32_768,
      ptyMax: 4_096,
      sentDataReturned: true,
      kernelLogRestricted: false,
      firewall,
    });
  });

  it('are null where it does not', () => {
    const { firewall: known, ...others } = factsOf({});
    expect(known).toBe(firewall);
    expect(new Set(Object.values(others))).toEqual(new Set([null]));
  });

  it('tell swap that is not counted, as on cgroup v1 without swapaccount=1', () => {
    const v1 = { 'proc/meminfo': 'SwapTotal: 1 kB\n', 'sys/fs/cgroup/memory/memory.limit_in_bytes': '1' };
    expect(factsOf(v1).swap).toBe('not_counted');
    const counted = { ...v1, 'sys/fs/cgroup/memory/memory.memsw.limit_in_bytes': '1' };
    expect(factsOf(counted).swap).toBe('counted');
    expect(factsOf({ ...v1, 'proc/meminfo': 'SwapTotal: 0 kB\n' }).swap).toBe('none');
  });

  it('tell who may make user namespaces', () => {
    const of = (most: number, more = {}) =>
      factsOf({ 'proc/sys/user/max_user_namespaces': `${most}`, ...more }).userNamespaces;
    expect(of(0)).toBe('none');
    expect(of(1, { 'proc/sys/kernel/unprivileged_userns_clone': '0' })).toBe('restricted');
    expect(of(1, { 'proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1' })).toBe('restricted');
    expect(of(1, { 'proc/sys/kernel/unprivileged_userns_clone': '1' })).toBe('everybody');
  });
});
