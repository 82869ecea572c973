import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../../shared/problems.ts';
import { outlineOf } from '../../../shared/run-plan.ts';
import type { RunOutline } from '../../../shared/stores/run-record.ts';
import type { RunStore } from '../../../shared/stores/runs.ts';
import type { Ledger, Need, Reservation } from '../node/ledger.ts';
import type { UnstartedEnds } from '../run/claimed.ts';
import { type Arrival, onArrival, onRoomWanted, type RoomWanted, roomAmong } from './decide.ts';
import type { OtherWorkers } from './other-workers.ts';
import type { Fetched, HeldJob } from './run-queue.ts';

/** A run that does not fit waits here so long before others are looked for that have room. */
export const waitHereMs = 250;
/** A run for which only another worker has the image, or is large enough, is looked at again after this. */
const elsewhereMs = 100;
/** So long other workers are given to take a run that was handed back: somewhat more than a round trip to Redis. */
const othersTakeImageMs = 20;
const othersTakeRoomMs = 50;

/** Whether a job that has come is for this worker, and room for its run: what decide.ts decides is done here. */
export function createPlacement(options: {
  runs: Pick<RunStore, 'head' | 'claim'>;
  ledger: Ledger;
  unstarted: UnstartedEnds;
  others: OtherWorkers;
  /** This worker takes runs. */
  isOpen: () => boolean;
  workerId: string;
}) {
  const { runs, ledger, unstarted, others, workerId } = options;
  /** The run that was left to other workers last, for its image. */
  let leftToOthers: string | undefined;

  /** What is known of a run that this worker takes on; `undefined` when its job went back to the queue, or is done. */
  async function arrive({ job, claim }: Fetched): Promise<RunOutline | undefined> {
    let { outline } = job;
    const arrival: Arrival = {
      open: options.isOpen(),
      claimed: claim !== undefined,
      known: outline === undefined ? undefined : true,
      imageElsewhere: undefined,
      leftBefore: leftToOthers === job.runId,
    };
    for (;;) {
      const decision = onArrival(arrival);
      switch (decision) {
        case 'look_up': {
          const head = await runs.head(job.runId);
          outline = head && outlineOf(head);
          arrival.known = outline !== undefined;
          break;
        }
        case 'look_for_image':
          arrival.imageElsewhere = await others.aloneHave(outline?.request.image);
          break;
        case 'forget':
          await job.complete();
          return undefined;
        case 'hand_back':
          await job.handBack();
          return undefined;
        case 'leave_to_others':
          leftToOthers = job.runId;
          await leave(job, othersTakeImageMs);
          return undefined;
        case 'delay':
          leftToOthers = undefined;
          await job.delay(elsewhereMs);
          return undefined;
        case 'place':
          return outline;
        default:
          return decision satisfies never;
      }
    }
  }

  /** Room for the run; `undefined` when its job went back to the queue, or the run was refused. */
  async function reserve(job: HeldJob, need: Need): Promise<Reservation | undefined> {
    const couldFit = ledger.couldFit(need);
    let patience = Date.now() + waitHereMs;
    let otherRoom: RoomWanted['others'];
    for (;;) {
      const reservation = ledger.take(need);
      const room = reservation !== undefined ? 'free' : couldFit ? 'taken' : 'never';
      const decision = onRoomWanted({
        room,
        open: options.isOpen(),
        waited: Date.now() >= patience,
        others: otherRoom,
      });
      switch (decision) {
        case 'take':
          return reservation;
        case 'ask_others':
          otherRoom = roomAmong(await listOthers(couldFit), need);
          break;
        case 'wait':
          if (otherRoom !== undefined) {
            otherRoom = undefined;
            patience = Date.now() + waitHereMs;
          }
          await ledger.room(waitHereMs);
          break;
        case 'hand_back':
          await job.handBack();
          return undefined;
        case 'leave_to_others':
          await leave(job, othersTakeRoomMs);
          return undefined;
        case 'delay':
          await job.delay(elsewhereMs);
          return undefined;
        case 'refuse':
          await refuse(job, need);
          return undefined;
        default:
          return decision satisfies never;
      }
    }
  }

  /** Where Redis does not answer, a run that could fit here waits on; one that could not is never refused without an answer. */
  const listOthers = (couldFit: boolean) => (couldFit ? others.list().catch(() => []) : others.list());

  /** Back to the queue, and others are given time to take it. */
  async function leave(job: HeldJob, ms: number): Promise<void> {
    await job.handBack();
    await sleep(ms);
  }

  /** Ends a run that is too large for every worker. */
  async function refuse(job: HeldJob, need: Need): Promise<void> {
    const { memoryBytes, cpus } = ledger.capacity;
    const problem = new Problem(
      'insufficient_capacity',
      `The run asks for ${need.memoryBytes} bytes and ${need.cpus} CPUs; the largest worker has ${memoryBytes} and ${cpus}: lower limits.memoryBytes or limits.cpus.`,
    );
    await unstarted.withProblem(await runs.claim(job.runId, workerId), problem);
    await job.complete();
  }

  return { arrive, reserve };
}
