/** So long a program that ends waits for Redis, which may be away: then it is missed instead of leaving. */
export const farewellMs = 2_000;

/** Waits for something, but not longer than `ms`. */
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
