/** Tells the user at the terminal what is happening, one line at a time. */
export type Say = (line: string) => void;

/** A step that takes longer than this is reported to the user. */
const patienceMs = 1_000;

/**
 * Runs a step. It is reported only if it takes over a second: first what is being done, then how long it took. A quick
 * step needs no line.
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

/** For callers that want no output. */
export const silent: Say = () => {};
