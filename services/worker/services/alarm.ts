/** The pauses of a keeper, which news of its service end early; and so do they end what it waits for meanwhile. */
export function createAlarm() {
  let rung = Promise.withResolvers<void>();
  let controller = new AbortController();
  return {
    /** A ring that came before this ends it at once. */
    async rest(ms: number): Promise<void> {
      const timer = setTimeout(rung.resolve, Math.max(1, ms));
      await rung.promise;
      clearTimeout(timer);
      rung = Promise.withResolvers();
    },
    ring(): void {
      rung.resolve();
      controller.abort();
    },
    /** Aborted by the next ring. Each call ends the signal of the call before. */
    nextRing(): AbortSignal {
      controller = new AbortController();
      return controller.signal;
    },
  };
}

export type Alarm = ReturnType<typeof createAlarm>;
