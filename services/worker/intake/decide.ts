import type { Worker } from '../../../shared/contracts/worker.ts';
import type { Need } from '../node/ledger.ts';

/** What is known of a run when its job has come. `undefined`: nobody has looked yet. */
export type Arrival = {
  /** This worker takes runs. */
  open: boolean;
  /** The run was claimed along with its job: it is this worker's. */
  claimed: boolean;
  /** The run is on record. */
  known: boolean | undefined;
  /** Its image is not here, cannot be pulled, and lies on another worker that is ready. */
  imageElsewhere: boolean | undefined;
  /** It was the last one that was left to others for its image. */
  leftBefore: boolean;
};

export type OnArrival =
  /** Questions to answer first: is it on record; where is its image. */
  | 'look_up'
  | 'look_for_image'
  /** Nothing is to be done for this job. */
  | 'forget'
  /** Back to the queue: at once; at once, and others are given time to take it; after a while. */
  | 'hand_back'
  | 'leave_to_others'
  | 'delay'
  /** It is this worker's, once it has room. */
  | 'place';

/**
 * What to do with a job that has come. Pure.
 *
 * A run that is left to others is handed back at first: a worker that waits for work is given it before this one asks again. A job that
 * is delayed returns to the worker that delayed it, which knows when it is due, so that comes second, where no other worker has room.
 */
export function onArrival({ open, claimed, known, imageElsewhere, leftBefore }: Arrival): OnArrival {
  if (!open && !claimed) return 'hand_back';
  if (known === undefined) return 'look_up';
  if (!known) return 'forget';
  if (claimed) return 'place';
  if (imageElsewhere === undefined) return 'look_for_image';
  if (!imageElsewhere) return 'place';
  return leftBefore ? 'delay' : 'leave_to_others';
}

/** What is known when a run wants room. */
export type RoomWanted = {
  /** On this node. `never`: the run is larger than the node. */
  room: 'free' | 'taken' | 'never';
  open: boolean;
  /** It has waited here as long as a run does before others are asked. */
  waited: boolean;
  /** Among the other workers. `undefined`: they have not been asked since. */
  others: { haveRoom: boolean; areLarger: boolean } | undefined;
};

export type OnRoomWanted =
  /** A question to answer first: what have the other workers. */
  | 'ask_others'
  | 'take'
  /** Here, for a moment. */
  | 'wait'
  /** Back to the queue: at once; at once, and others are given time to take it; after a while. */
  | 'hand_back'
  | 'leave_to_others'
  | 'delay'
  /** It ends: no worker could ever run it. */
  | 'refuse';

/** What to do with a run that wants room. Pure. */
export function onRoomWanted({ room, open, waited, others }: RoomWanted): OnRoomWanted {
  if (room === 'free') return 'take';
  if (room === 'never') {
    if (others === undefined) return 'ask_others';
    return others.areLarger ? 'delay' : 'refuse';
  }
  if (!open) return 'hand_back';
  if (!waited) return 'wait';
  if (others === undefined) return 'ask_others';
  return others.haveRoom ? 'leave_to_others' : 'wait';
}

type Capacity = Pick<Worker, 'status' | 'capacity' | 'inUse'>;

/** What other workers have for a run of this size, as they last said. Pure. */
export function roomAmong(others: Capacity[], need: Need): NonNullable<RoomWanted['others']> {
  const isLarge = ({ capacity }: Capacity) =>
    need.memoryBytes <= capacity.memoryBytes && need.cpus <= capacity.cpus;
  const hasRoom = ({ status, capacity, inUse }: Capacity) =>
    status === 'ready' &&
    inUse.memoryBytes + need.memoryBytes <= capacity.memoryBytes &&
    inUse.cpus + need.cpus <= capacity.cpus;
  return { haveRoom: others.some(hasRoom), areLarger: others.some(isLarge) };
}
