import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '../../services/cli/http/retry-after.ts';
import { parseDuration } from '../../services/cli/parse/duration.ts';
import { collectEnvironment, parseEnvFile } from '../../services/cli/parse/env.ts';
import { parseCount, parseCpus, parseWhole } from '../../services/cli/parse/number.ts';
import { parsePair } from '../../services/cli/parse/pairs.ts';
import { parseSize } from '../../services/cli/parse/size.ts';
import { parseSince } from '../../services/cli/parse/time.ts';
import { encodeStdin } from '../../services/cli/run/stdin.ts';

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1m', 60_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['1.1s', 1100],
    ['2d', 172_800_000],
    ['0s', 0],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '10', 's', '-1s', '1 s', '1e3s', '10S', '1s2', '0.0001s', '99999999999999d', 'Infinitys'])(
    '%j is refused',
    (text) => expect(() => parseDuration(text)).toThrow(/^Give a time/),
  );
});

describe('sizes', () => {
  it.each([
    ['1048576', 1_048_576],
    ['64m', 67_108_864],
    ['64MB', 67_108_864],
    ['64MiB', 67_108_864],
    ['1g', 1_073_741_824],
    ['1.5g', 1_610_612_736],
    ['512k', 524_288],
    ['7b', 7],
    ['2t', 2_199_023_255_552],
  ])('%s is %d bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['', 'm', '-1m', '1x', '1.3', '1e6', '0x10', '999999999t', '1 000'])('%j is refused', (text) =>
    expect(() => parseSize(text)).toThrow(/^Give a size/),
  );
});

describe('numbers', () => {
  it('takes whole numbers, and no other', () => {
    expect(parseWhole('0')).toBe(0);
    expect(parseCount('12')).toBe(12);
    for (const text of ['', '-1', '1.5', '1e3', 'x', ' 1']) expect(() => parseWhole(text)).toThrow();
    expect(() => parseCount('0')).toThrow('from 1 on');
  });

  it('takes fractions of CPUs', () => {
    expect([parseCpus('0.5'), parseCpus('2'), parseCpus('.25')]).toEqual([0.5, 2, 0.25]);
    for (const text of ['', '-1', '1e2', 'NaN']) expect(() => parseCpus(text)).toThrow();
  });
});

describe('the environment', () => {
  it('keeps all that follows the first "="', () => {
    expect(parsePair('A=b=c')).toEqual(['A', 'b=c']);
    expect(parsePair('A=')).toEqual(['A', '']);
    for (const text of ['A', '=b', '']) expect(() => parsePair(text)).toThrow('NAME=VALUE');
  });

  it('hands on own variables by name, names those that are missing, and lets the last one win', () => {
    const parsed = collectEnvironment(['A=1', 'OWN', 'GONE', 'A=2'], { OWN: 'mine' });
    expect(parsed).toEqual({ env: { A: '2', OWN: 'mine' }, missing: ['GONE'] });
    expect(collectEnvironment(['__proto__=x'], {}).env).toEqual(Object.fromEntries([['__proto__', 'x']]));
  });

  it('reads files as Docker does', () => {
    const file = '\uFEFF# comment\r\nA=1\r\n\n  B="quoted" # not a comment\nOWN\nC=\n';
    expect(parseEnvFile(file)).toEqual(['A=1', 'B="quoted" # not a comment', 'OWN', 'C=']);
    expect(() => parseEnvFile('A=1\nB C=2')).toThrow('line 2');
    expect(() => parseEnvFile('=1')).toThrow('line 1');
  });

  it('gives back what was put in, whatever the value', () => {
    const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/);
    fc.assert(
      fc.property(name, fc.string(), (key, value) => {
        expect(collectEnvironment([`${key}=${value}`], {}).env).toEqual(Object.fromEntries([[key, value]]));
      }),
    );
  });
});

describe('stdin', () => {
  it('travels byte for byte, as text where it is text', () => {
    expect(encodeStdin(Buffer.from('grüße\n'))).toEqual({ stdin: 'grüße\n', stdinEncoding: 'utf8' });
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const { stdin, stdinEncoding } = encodeStdin(Buffer.from(bytes));
        expect(Buffer.from(stdin, stdinEncoding).equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });
});

describe('Retry-After', () => {
  it('is seconds or a date', () => {
    const now = Date.parse('2026-11-03T10:00:00Z');
    expect(parseRetryAfter('3', now)).toBe(3000);
    expect(parseRetryAfter('Tue, 03 Nov 2026 10:00:05 GMT', now)).toBe(5000);
    expect(parseRetryAfter('Tue, 03 Nov 2026 09:00:00 GMT', now)).toBe(0);
    expect(parseRetryAfter('soon', now)).toBeUndefined();
    expect(parseRetryAfter(undefined, now)).toBeUndefined();
  });
});

describe('a time in the past', () => {
  const now = Date.parse('2026-11-03T10:00:00Z');
  it.each([
    ['1h', '2026-11-03T09:00:00.000Z'],
    ['1d12h', '2026-11-01T22:00:00.000Z'],
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31T12:00:00.5+02:00', '2026-01-31T10:00:00.500Z'],
    ['2026-01-31t12:00z', '2026-01-31T12:00:00.000Z'],
  ])('%s is %s', (text, time) => expect(parseSince(text, now)).toBe(time));

  it.each(['', 'yesterday', '1', '2026-01-31', '2026-13-01T00:00:00Z', '2026-01-31T12:00:00', '999999999d'])(
    '%j is refused',
    (text) => expect(() => parseSince(text, now)).toThrow(/^Give how long ago/),
  );
});
