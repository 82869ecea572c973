import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';

/**
 * The addresses of a name in the machine's hosts file (hosts(5)). The file is small and may change at any time, so it is read
 * each time.
 */
export async function addressesInHosts(host: string): Promise<string[]> {
  const text = await readFile('/etc/hosts', 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    return isIP(address) !== 0 && names.some((name) => name.toLowerCase() === host) ? [address] : [];
  });
}
