import type { RedisConnection } from './redis.ts';

type Listener = (message: Buffer) => void;

export type Wakeups = ReturnType<typeof createWakeups>;

/**
 * Hints over pub/sub, with one subscription for each channel, however many listeners it has. Redis does not keep hints, so one
 * may be missed. A listener must therefore also look by itself from time to time, and once right after it subscribed.
 */
export function createWakeups(subscriber: RedisConnection) {
  const listeners = new Map<string, { all: Set<Listener>; subscribed: Promise<unknown> }>();
  subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) => {
    for (const listener of listeners.get(channel.toString())?.all ?? []) listener(message);
  });

  return {
    /** Resolves when the subscription is active. The returned function ends it. */
    listen(channel: string, listener: (message: string) => void): Promise<() => void> {
      return this.listenBytes(channel, (message) => listener(message.toString()));
    },

    /** As `listen`, for messages that are not text. */
    async listenBytes(channel: string, listener: Listener): Promise<() => void> {
      const entry = listeners.get(channel) ?? { all: new Set(), subscribed: subscriber.subscribe(channel) };
      listeners.set(channel, entry);
      entry.all.add(listener);
      const stop = () => {
        entry.all.delete(listener);
        if (entry.all.size > 0 || listeners.get(channel) !== entry) return;
        listeners.delete(channel);
        subscriber.unsubscribe(channel).catch(() => {});
      };
      try {
        await entry.subscribed;
      } catch (error) {
        stop();
        throw error;
      }
      return stop;
    },
  };
}
