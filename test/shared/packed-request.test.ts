import { expect, test } from 'vitest';
import { packRequest, unpackRequest } from '../../shared/packed-request.ts';

const back = (request: Parameters<typeof packRequest>[0]) =>
  unpackRequest(Buffer.concat(packRequest(request)));

test.each([
  ['nothing', {}],
  ['texts', { code: 'a\n"\u{1f600}\0', stdin: '', stdinEncoding: 'utf8' as const }],
  ['base64', { stdin: '/+8=', stdinEncoding: 'base64' as const }],
  // RFC 4648 §3.5: other bits at its end say the same bytes.
  ['base64 that is written in another way', { stdin: '/+9=', stdinEncoding: 'base64' as const }],
  ['base64 of nothing but padding', { stdin: 'A===', stdinEncoding: 'base64' as const }],
  ['half a surrogate pair', { code: '\ud83d', stdin: 'after', stdinEncoding: 'utf8' as const }],
  [
    'several of each',
    {
      inputs: [
        { stdinEncoding: 'utf8' as const },
        { stdin: 'one', stdinEncoding: 'utf8' as const, args: ['x'], expectedStdout: 'eins\n' },
        { stdin: 'dHdv', stdinEncoding: 'base64' as const, expectedStdout: '' },
      ],
      files: [
        { path: 'a', content: 'é', encoding: 'utf8' as const, mode: '0644' },
        { path: 'b', content: '', encoding: 'base64' as const, mode: '0600' },
      ],
      args: ['--'],
    },
  ],
])('%s comes back letter by letter', (_, request) => {
  expect(back(request)).toEqual(request);
});

test('bytes are packed as bytes', () => {
  const content = Buffer.alloc(3_000, 0xff).toString('base64');
  const packed = Buffer.concat(packRequest({ files: [{ content, encoding: 'base64' }] }));
  expect(packed.length).toBeLessThan(3_100);
});

test('what is cut is told as that', () => {
  const packed = Buffer.concat(packRequest({ code: 'print(1)' }));
  for (let length = 0; length < packed.length; length++)
    expect(() => unpackRequest(packed.subarray(0, length))).toThrow();
});
