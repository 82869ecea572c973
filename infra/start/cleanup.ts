import type { Say } from '../parts/say.ts';

/** What has to be undone, in this order: nothing may lose what it leans on before it has ended itself. */
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

/** The way down: parts are added as they come up, in any order, and stopped in the one that is right. */
export class Cleanup {
  readonly #undo = new Map<Part, () => Promise<void> | void>();
  #done: Promise<void> | undefined;
  readonly #say: Say;

  constructor(say: Say) {
    this.#say = say;
  }

  /** Is the way down already being walked? */
  get started(): boolean {
    return this.#done !== undefined;
  }

  /** Adds a part. One that comes up while all else goes down is stopped at once. */
  async add(part: Part, undo: () => Promise<void> | void): Promise<void> {
    if (!this.started) {
      this.#undo.set(part, undo);
      return;
    }
    await undo();
    throw new Stopped();
  }

  /** Stops everything, once, however often it is called. */
  run(): Promise<void> {
    this.#done ??= this.#runAll();
    return this.#done;
  }

  async #runAll(): Promise<void> {
    for (const part of order) {
      try {
        await this.#undo.get(part)?.();
      } catch (error) {
        // One that will not go must not keep the others.
        this.#say(`Stopping ${part}: ${(error as Error).message}`);
      }
    }
  }
}

/** Thrown where the way up meets the way down. Not a failure: nobody is told. */
export class Stopped extends Error {}
