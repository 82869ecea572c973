import { expect, test } from 'vitest';
import { type Found, reaperVerdict } from '../../../services/worker/node/reaper-verdict.ts';

const mine: Found = {
  of: 'run',
  isOurs: true,
  isHeld: false,
  wasUnheld: false,
  ownerLives: true,
  isServiceOrphan: false,
};
const theirs: Found = { ...mine, isOurs: false };
const service: Found = { ...mine, of: 'service' };

test.each<[string, Found, ReturnType<typeof reaperVerdict>]>([
  ['a run’s that is under way is kept', { ...mine, isHeld: true }, 'keep'],
  ['one that was not held before, and is now, is kept', { ...mine, isHeld: true, wasUnheld: true }, 'keep'],
  ['one that nobody holds is watched at first', mine, 'watch'],
  ['and removed at the second look', { ...mine, wasUnheld: true }, 'remove'],
  ['a warm one that nobody holds is watched at first', { ...mine, of: 'warm' }, 'watch'],
  ['and removed at the second look', { ...mine, of: 'warm', wasUnheld: true }, 'remove'],
  ['a look’s that is under way is kept', { ...mine, of: 'look', isHeld: true }, 'keep'],
  ['another worker’s is kept while that one lives', theirs, 'keep'],
  ['although this worker holds nothing of it', { ...theirs, wasUnheld: true }, 'keep'],
  ['it is removed at once when that one is dead', { ...theirs, ownerLives: false }, 'remove'],
  ['so is a warm one', { ...theirs, of: 'warm', ownerLives: false }, 'remove'],
  ['so is a look’s', { ...theirs, of: 'look', ownerLives: false }, 'remove'],
  ['a service’s is kept, whoever made it', service, 'keep'],
  ['although its worker is dead', { ...service, isOurs: false, ownerLives: false }, 'keep'],
  ['and although this worker does not hold it', { ...service, wasUnheld: true }, 'keep'],
  ['it is removed when its service does not want it', { ...service, isServiceOrphan: true }, 'remove'],
  ['although its worker lives', { ...service, isOurs: false, isServiceOrphan: true }, 'remove'],
])('%s', (_, found, verdict) => {
  expect(reaperVerdict(found)).toBe(verdict);
});
