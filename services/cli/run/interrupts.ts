import { InterruptedError } from '../errors.ts';

const asking = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Ctrl-C works in two steps. The first asks the run to end (`signal` aborts, the run is cancelled and its end awaited).
 * The second leaves at once. SIGTERM and a closed terminal ask as well: whoever stops the CLI does not want the run to
 * continue unseen.
 */
export class Interrupts {
  readonly #asked = new AbortController();
  readonly #onSignal: (name: NodeJS.Signals) => void;

  constructor(leave: () => void) {
    this.#onSignal = (name) => {
      if (!this.#asked.signal.aborted) this.#asked.abort();
      else if (name === 'SIGINT') leave();
    };
    for (const name of asking) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#asked.signal;
  }

  /** Calls back at the first interrupt, even if that has happened already. */
  onFirst(callback: () => void): void {
    if (this.signal.aborted) callback();
    else this.signal.addEventListener('abort', callback, { once: true });
  }

  stop(): void {
    for (const name of asking) process.off(name, this.#onSignal);
  }
}

/** The exit code for Ctrl-C: 128 and the number of SIGINT. */
const exitInterrupted = 130;

/**
 * Runs `act` while we handle Ctrl-C. An interrupt before the server had the request is noted, and the exit code is 130.
 */
export async function interruptible(
  note: (text: string) => void,
  act: (interrupts: Interrupts) => Promise<number>,
): Promise<number> {
  const interrupts = new Interrupts(() => process.exit(exitInterrupted));
  try {
    return await act(interrupts);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    note(error.message);
    return exitInterrupted;
  } finally {
    interrupts.stop();
  }
}
