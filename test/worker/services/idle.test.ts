import { expect, test } from 'vitest';
import { decideIdle, isCalledMeanwhile } from '../../../services/worker/services/idle.ts';

const used = 1_000_000;
// A use is told of up to a second late, of which half is put on top: of a minute, 61.5 s; of 0.4 s, 0.7 s.
const minute = 60_000 + 1_500;
const short = 400 + 300;

test.each([
  ['used just now', 60_000, 'stop', 0, { restMs: minute }],
  ['a ms left', 60_000, 'stop', minute - 1, { restMs: 1 }],
  ['its time is over', 60_000, 'stop', minute, { to: 'idle', usedBefore: used + 1 }],
  ['long over', 60_000, 'stop', minute + 5_000, { to: 'idle', usedBefore: used + 5_001 }],
  ['over, and to be removed', 60_000, 'remove', minute, { to: 'removed', usedBefore: used + 1 }],
  ['a short clock, running', 400, 'stop', short - 1, { restMs: 1 }],
  ['a short clock, over', 400, 'stop', short, { to: 'idle', usedBefore: used + 1 }],
  ['kept for ever', 'forever', 'stop', 1e12, { restMs: Number.POSITIVE_INFINITY }],
  ['kept for ever', 'forever', 'remove', 1e12, { restMs: Number.POSITIVE_INFINITY }],
] as const)('%s (keepAlive %s, onIdle %s, %i ms after its use)', (_, keepAlive, onIdle, after, decision) => {
  expect(decideIdle({ keepAlive, onIdle }, used, used + after)).toEqual(decision);
});

test.each([
  ['a call came', { wanted: 'idle', lastUsedAt: used + 1 }, true],
  ['none came', { wanted: 'idle', lastUsedAt: used }, false],
  ['it is wanted again already', { wanted: 'running', lastUsedAt: used + 1 }, false],
  ['it was stopped by its owner', { wanted: 'stopped', lastUsedAt: used + 1 }, false],
  ['it is to be removed', { wanted: 'removed', lastUsedAt: used + 1 }, false],
] as const)('as it goes to sleep, %s: wakes %j', (_, now, wakes) => {
  expect(isCalledMeanwhile(now, { lastUsedAt: used })).toBe(wakes);
});
