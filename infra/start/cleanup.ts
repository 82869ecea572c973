import type { Say } from '../parts/say.ts';

/** The order in which parts are stopped: a part must end before the parts that it needs. */
const order = [
  'worker',
  'gateway',
  'notifier',
  'redis',
  'engine',
  'registry',
  'running note',
  'lock',
] as const;
type Part = (typeof order)[number];

/** Stops all parts. They are added in any order as they start, and are stopped in the right order. */
export class Cleanup {
  readonly #undo = new Map<Part, () => Promise<void> | void>();
  #done: Promise<void> | undefined;
  readonly #say: Say;

  constructor(say: Say) {
    this.#say = say;
  }

  /** Has the stopping begun? */
  get started(): boolean {
    return this.#done !== undefined;
  }

  /** Adds a part. If the stopping has already begun, the part is stopped at once. */
  async add(part: Part, undo: () => Promise<void> | void): Promise<void> {
    if (!this.started) {
      this.#undo.set(part, undo);
      return;
    }
    await undo();
    throw new Stopped();
  }

  /** Stops everything. It does so only once, even if it is called several times. */
  run(): Promise<void> {
    this.#done ??= this.#runAll();
    return this.#done;
  }

  async #runAll(): Promise<void> {
    for (const part of order) {
      try {
        await this.#undo.get(part)?.();
      } catch (error) {
        // A part that fails to stop must not keep the others from stopping.
        this.#say(`Stopping ${part}: ${(error as Error).message}`);
      }
    }
  }
}

/** Thrown when a part comes up while everything is being stopped. This is no failure, so nothing is reported. */
export class Stopped extends Error {}
