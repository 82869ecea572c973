/**
 * How long a program that stops waits for each thing that it tells Redis, which may be away. Without that word the others find out by
 * themselves that it is gone, a little later.
 */
export const shutdownWaitMs = 2_000;

/** Waits for something, `ms` at most. */
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
