import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Names the network that this process is in: the machine's boot and the namespace in it (namespaces(7)). Two processes of the same name
 * reach the same addresses. Empty where the kernel does not say.
 */
export function networkNamespace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/net')}`;
  } catch {
    return '';
  }
}
