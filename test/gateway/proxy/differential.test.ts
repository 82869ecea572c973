import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { headText } from '../../../services/gateway/proxy/answers.ts';
import { type AnswerHead, parseAnswer } from '../../../services/gateway/proxy/http1/answer-head.ts';
import { Connection, type Failure } from '../../../services/gateway/proxy/http1/connection.ts';
import { answers, findings, requests } from './corpus.ts';
import { cut, cutting, hearAnswer, hearRequests, mutated, turn, type Wire } from './differential.ts';

/**
 * Our parsers against Node's own (llhttp), on the same bytes in the same pieces. More and others of them by hand:
 * RUNLET_TEST_FUZZ_RUNS, RUNLET_TEST_FUZZ_SEED.
 */
const numRuns = Number(process.env.RUNLET_TEST_FUZZ_RUNS ?? 1_500);
const seed = Number(process.env.RUNLET_TEST_FUZZ_SEED ?? 16);
const settings = { numRuns, seed, endOnFailure: !!process.env.RUNLET_TEST_FUZZ_RUNS };

const wires: Wire[] = [];
vi.mock('../../../services/gateway/proxy/http1/upstream-socket.ts', async () => {
  const { Wire: Made } = await import('./differential.ts');
  return {
    connectTo: () => {
      const wire = new Made();
      wires.push(wire);
      return wire;
    },
  };
});

async function sameRequests(text: string, sizes: number[]): Promise<number> {
  const both = await hearRequests(cut(text, sizes), true);
  const node = await hearRequests(cut(text, sizes), false);
  const why = JSON.stringify([text, sizes, both, node]);
  // Once Node refuses, it ends what it has not answered, whole or not; and how much of a body it has told by then is chance.
  const shown = ({ heard }: typeof both) =>
    heard.map((one) => (node.refused ? { ...one, body: '', whole: false } : { ...one }));
  // The same requests, to the last field and byte; and the end of one is the beginning of the next.
  expect(shown(both), why).toEqual(shown(node));
  for (const [i, { body }] of both.heard.entries()) {
    const theirs = node.heard[i]?.body ?? '';
    expect(body.startsWith(theirs) || theirs.startsWith(body), why).toBe(true);
  }
  const last = both.heard.at(-1);
  // A body that does not come whole, and what comes behind `Connection: close`, is refused by one, and dropped by the other.
  if (last?.whole !== false && last?.fields.closes !== true) expect(both.refused, why).toBe(node.refused);
  return both.byLane.length;
}

describe('requests are what Node’s parser takes them for', () => {
  test('whatever they are, and in whatever pieces', async () => {
    let byLane = 0;
    await fc.assert(
      fc.asyncProperty(mutated(requests), cutting, async (text, sizes) => {
        byLane += await sameRequests(text, sizes);
      }),
      settings,
    );
    // Else Node was compared with itself.
    expect(byLane).toBeGreaterThan(numRuns / 30);
  });

  test.each(requests)('%j, cut at each place', async (text) => {
    for (let at = 1; at < text.length; at += 1) await sameRequests(text, [at, text.length]);
  });
});

type Ours = {
  informed: number[];
  head: AnswerHead | undefined;
  body: string;
  end: 'whole' | 'broken' | 'refused' | 'open';
  failure: Failure | undefined;
  reusable: boolean;
};

async function ours(pieces: Buffer[], method: string): Promise<Ours> {
  const got: Ours = {
    ...{ informed: [], head: undefined, body: '', end: 'open' as const, failure: undefined },
    reusable: false,
  };
  const connection = new Connection(
    { host: 'a', port: 1 },
    { connectMs: 60_000, answerMs: 60_000, headBytes: 64 * 1024 },
    (_, reusable) => {
      got.reusable = reusable;
    },
    true,
  );
  const wire = wires.pop() as Wire;
  wire.emit('connect');
  connection.ask(
    {
      informed: ({ status }) => got.informed.push(status),
      answered: (head) => {
        got.head = head;
      },
      data: (chunk) => {
        got.body += chunk.toString('latin1');
      },
      flush: () => {},
      ended: () => {
        got.end = 'whole';
      },
      drained: () => {},
      failed: (failure) => {
        got.end = got.head === undefined ? 'refused' : 'broken';
        got.failure = failure;
      },
    },
    method,
    '',
    true,
  );
  await wire.feed(pieces);
  wire.destroy();
  await turn();
  return got;
}

/** What llhttp takes of an answer and we do not, and why. */
const ourRefusals: [RegExp, string][] = [
  [
    /^its Transfer-Encoding/,
    'llhttp reads on to the end of the connection, and tells nobody of the coding: what the client got would not be the content (RFC 9112 §6.1)',
  ],
  [
    /^its first line, "HTTP\/1\.\d \d{3} .*\\x/,
    'a control character in a reason is no text (RFC 9112 §4), and would go on to the client',
  ],
  [/^its first line, "HTTP\/1\.\d 0/, 'a status has a class (RFC 9110 §15)'],
  [/^its first line, "HTTP\/(0|2)\./, 'a client of HTTP/1.1 was never asked by another major version'],
];

async function sameAnswer(text: string, sizes: number[], method: string): Promise<string> {
  const pieces = cut(text, sizes);
  const mine = await ours(pieces, method);
  const strict = await hearAnswer(pieces, method, false);
  const why = JSON.stringify({ text, sizes, method, mine, strict });
  if (strict.end === 'switched') {
    expect(mine.end, why).toBe('refused');
    return 'switched';
  }
  const reason = mine.failure?.reason ?? '';
  if (strict.head === undefined || strict.end === 'broken' || strict.end === 'open') {
    // Ours may be kinder.
    return `${mine.end} beside ${strict.end}`;
  }
  if (mine.end === 'refused' || mine.end === 'broken') {
    expect(
      ourRefusals.some(([pattern]) => pattern.test(reason)),
      why,
    ).toBe(true);
    return 'refused by us';
  }
  expect(mine.end, why).toBe('whole');
  expect(mine.informed, why).toEqual(strict.informed);
  expect(mine.body, why).toBe(strict.body);
  const { status, reason: phrase, rawHeaders } = strict.head;
  const again = parseAnswer(headText(status, phrase, rawHeaders).slice(0, -2), method);
  if ('fault' in again) throw new Error(why);
  expect({ ...mine.head, keepAlive: 0, reason: mine.head?.reason.trim() }, why).toEqual({
    ...again,
    keepAlive: 0,
    reason: again.reason.trim(),
  });
  return 'alike';
}

describe('answers are what Node’s parser takes them for', () => {
  test('wherever it takes them', async () => {
    const counts: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(
        mutated(answers),
        cutting,
        fc.constantFrom('GET', 'GET', 'GET', 'HEAD'),
        async (text, sizes, method) => {
          const what = await sameAnswer(text, sizes, method);
          counts[what] = (counts[what] ?? 0) + 1;
        },
      ),
      settings,
    );
    if (process.env.RUNLET_TEST_FUZZ_RUNS) console.log(counts);
    expect(counts.alike).toBeGreaterThan(numRuns / 30);
  });

  test.each(answers)('%j, cut at each place', async (text) => {
    for (let at = 1; at < text.length; at += 1)
      expect(await sameAnswer(text, [at, text.length], 'GET')).not.toMatch(/^(?:refused|broken|open)/);
  });

  test.each(findings)('found: $name', async ({ text, sizes, method = 'GET' }) => {
    expect(await sameAnswer(text, sizes, method)).toBe('alike');
  });
});
