/**
 * How long a program that is stopping waits for each message it sends to Redis, which may be away. If a message does not get
 * through, the other programs find out a little later that this one is gone.
 */
export const shutdownWaitMs = 2_000;

/** Waits for something, but at most `ms`. */
export async function within(ms: number, something: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([something, over]);
  } finally {
    clearTimeout(timer);
  }
}
