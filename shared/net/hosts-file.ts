import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';

/** What the machine's hosts file says of a name (hosts(5)); it is small, and may change at any time. */
export async function addressesInHosts(host: string): Promise<string[]> {
  const text = await readFile('/etc/hosts', 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    return isIP(address) !== 0 && names.some((name) => name.toLowerCase() === host) ? [address] : [];
  });
}
