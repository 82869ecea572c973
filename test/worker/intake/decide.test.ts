import { describe, expect, test } from 'vitest';
import {
  type Arrival,
  onArrival,
  onRoomWanted,
  type RoomWanted,
  roomAmong,
} from '../../../services/worker/intake/decide.ts';

describe('a job that has come', () => {
  const usual: Arrival = {
    open: true,
    claimed: false,
    known: true,
    imageElsewhere: false,
    leftBefore: false,
  };
  test.each<[string, Partial<Arrival>, ReturnType<typeof onArrival>]>([
    ['is placed', {}, 'place'],
    ['goes back at once from a worker that stops', { open: false, known: undefined }, 'hand_back'],
    ['is placed all the same where its run was claimed with it', { open: false, claimed: true }, 'place'],
    ['is looked up where it does not say what its run wants', { known: undefined }, 'look_up'],
    ['is looked up although it was claimed', { known: undefined, claimed: true }, 'look_up'],
    ['is done where its run is gone', { known: false }, 'forget'],
    ['is done where its run is gone after the claim', { known: false, claimed: true }, 'forget'],
    ['has its image looked for', { imageElsewhere: undefined }, 'look_for_image'],
    ['needs no such look once it is claimed', { imageElsewhere: undefined, claimed: true }, 'place'],
    ['is handed back where only another has its image', { imageElsewhere: true }, 'leave_to_others'],
    ['is delayed when it comes back', { imageElsewhere: true, leftBefore: true }, 'delay'],
    ['is placed where it came back and the image is here by now', { leftBefore: true }, 'place'],
  ])('%s', (_, facts, decision) => {
    expect(onArrival({ ...usual, ...facts })).toBe(decision);
  });
});

describe('a run that wants room', () => {
  const none = { haveRoom: false, areLarger: false };
  const usual: RoomWanted = { room: 'taken', open: true, waited: false, others: undefined };
  test.each<[string, Partial<RoomWanted>, ReturnType<typeof onRoomWanted>]>([
    ['takes what is free', { room: 'free' }, 'take'],
    ['takes what is free although the worker stops', { room: 'free', open: false }, 'take'],
    ['takes it although others have room', { room: 'free', others: { ...none, haveRoom: true } }, 'take'],
    ['waits', {}, 'wait'],
    ['goes back from a worker that stops', { open: false }, 'hand_back'],
    ['has the others asked when it has waited', { waited: true }, 'ask_others'],
    ['waits on where none has room', { waited: true, others: none }, 'wait'],
    [
      'is not for one that is larger and full',
      { waited: true, others: { ...none, areLarger: true } },
      'wait',
    ],
    ['is left to one with room', { waited: true, others: { ...none, haveRoom: true } }, 'leave_to_others'],
    ['has the others asked at once where it could never fit', { room: 'never' }, 'ask_others'],
    ['so too where the worker stops: nobody else asks', { room: 'never', open: false }, 'ask_others'],
    ['comes again where one is larger', { room: 'never', others: { ...none, areLarger: true } }, 'delay'],
    ['is refused where none is', { room: 'never', others: none }, 'refuse'],
  ])('%s', (_, facts, decision) => {
    expect(onRoomWanted({ ...usual, ...facts })).toBe(decision);
  });
});

describe('what others have', () => {
  const worker = (more: { status?: 'ready' | 'draining'; used?: number } = {}) => ({
    status: more.status ?? ('ready' as const),
    capacity: { memoryBytes: 1_000, cpus: 2 },
    inUse: { memoryBytes: more.used ?? 0, cpus: 1, runs: 1 },
  });
  const need = { memoryBytes: 600, cpus: 1 };
  test.each([
    ['nobody there', [], need, { haveRoom: false, areLarger: false }],
    ['room', [worker()], need, { haveRoom: true, areLarger: true }],
    ['room to the last byte', [worker({ used: 400 })], need, { haveRoom: true, areLarger: true }],
    ['one byte too little', [worker({ used: 401 })], need, { haveRoom: false, areLarger: true }],
    ['too few CPUs free', [worker()], { ...need, cpus: 1.5 }, { haveRoom: false, areLarger: true }],
    ['too few CPUs ever', [worker()], { ...need, cpus: 3 }, { haveRoom: false, areLarger: false }],
    [
      'too little memory ever',
      [worker()],
      { ...need, memoryBytes: 1_001 },
      { haveRoom: false, areLarger: false },
    ],
    ['one that stops', [worker({ status: 'draining' })], need, { haveRoom: false, areLarger: true }],
    ['one of two', [worker({ used: 900 }), worker()], need, { haveRoom: true, areLarger: true }],
  ])('%s', (_, others, wanted, room) => {
    expect(roomAmong(others, wanted)).toEqual(room);
  });
});
