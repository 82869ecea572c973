import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tool } from './tool.ts';

export type Certificate = { key: Buffer; cert: Buffer };

/** An authority of the test's own; its certificate is in the folder, as `ca.crt`. */
export function createAuthority(folder: string): {
  path: string;
  /** A certificate that it signed for these names, or one that signed itself. */
  issue(name: string, signed: boolean): Certificate;
} {
  const at = (file: string) => join(folder, file);
  const request = (file: string, subject: string, ...more: string[]) => {
    const key = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      at(`${file}.key`),
    ];
    const args = ['req', '-x509', '-days', '2', ...key, '-out', at(`${file}.crt`), '-subj', subject, ...more];
    tool('openssl', ...args);
    return { key: readFileSync(at(`${file}.key`)), cert: readFileSync(at(`${file}.crt`)) };
  };
  request('ca', '/CN=Authority of a test');
  return {
    path: at('ca.crt'),
    issue: (name, signed) =>
      request(
        `${name}-${signed ? 'signed' : 'self'}`,
        `/CN=${name}`,
        ...['-addext', `subjectAltName=DNS:${name}`, '-addext', 'basicConstraints=critical,CA:FALSE'],
        ...(signed ? ['-CA', at('ca.crt'), '-CAkey', at('ca.key')] : []),
      ),
  };
}
