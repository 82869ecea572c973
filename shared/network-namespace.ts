import { readFileSync, readlinkSync } from 'node:fs';

/**
 * A name for the network that this process is in: the id of the machine's boot, and the network namespace (namespaces(7)). Two
 * processes with the same name reach the same addresses. Empty if the kernel does not tell.
 */
export function networkNamespace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/net')}`;
  } catch {
    return '';
  }
}
