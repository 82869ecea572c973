/** Tells the person at the terminal what is going on, one line at a time. */
export type Say = (line: string) => void;

/** How long a step may take before it owes the person a word. */
const patienceMs = 1_000;

/**
 * Runs a step, and speaks of it only if it takes over a second: what is being done, then how long it took. What needs
 * no time needs no line.
 */
export async function step<T>(say: Say, what: string, work: () => Promise<T>): Promise<T> {
  const began = Date.now();
  let spoken = false;
  const timer = setTimeout(() => {
    spoken = true;
    say(`${what} …`);
  }, patienceMs);
  try {
    const result = await work();
    if (spoken) say(`${what}: done (${Math.round((Date.now() - began) / 1_000)} s)`);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** For callers that want no words. */
export const silent: Say = () => {};
