import { InterruptedError } from '../errors.ts';

const asking = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Ctrl-C, in two steps: the first asks (`signal` aborts; the run is cancelled and its end awaited), the second leaves.
 * SIGTERM and a closed terminal ask as well: whoever stops the CLI does not want its run to go on unseen.
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

  /** Calls back at the first interrupt, also when that has come already. */
  onFirst(callback: () => void): void {
    if (this.signal.aborted) callback();
    else this.signal.addEventListener('abort', callback, { once: true });
  }

  stop(): void {
    for (const name of asking) process.off(name, this.#onSignal);
  }
}

/** What the shell is told of Ctrl-C: 128 and the number of SIGINT. */
const exitInterrupted = 130;

/** Acts while Ctrl-C is ours. One that came before the server had the request is noted, and ends with 130. */
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
