/** Two signals within this time count as one: a Ctrl-C reaches us twice, from the terminal and from npm, which passes it on. */
const echoMs = 1_000;

/** Calls `first` at the first SIGINT, SIGTERM or SIGHUP, and `second` when the user sends it again. */
export function onStopSignals(first: () => void, second: () => void): void {
  let firstAt: number | undefined;
  const handle = () => {
    const now = Date.now();
    if (firstAt === undefined) {
      firstAt = now;
      first();
    } else if (now - firstAt > echoMs) {
      second();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, handle);
}
