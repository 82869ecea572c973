import type { Socket } from 'node:net';

/** nginx's lingering_time and lingering_timeout; and a bound for those who are fast. `unsentMs`: for a client that takes no answer. */
export const lingering = { totalMs: 30_000, silentMs: 5_000, bytes: 2 ** 30, unsentMs: 75_000 };

const lookMs = 250;

/**
 * Ends a connection of which not all was read. Closed at once, it would be reset, and the answer lost with it that lies unread at the
 * client (RFC 9112 §9.6). So our side ends, and what still comes is thrown away until the client ends too, or its time is over.
 * Whoever reads the socket must drop what is read.
 *
 * @returns a function that stops this
 */
export function linger(socket: Socket, limits = lingering): () => void {
  const began = performance.now();
  const first = socket.bytesRead;
  let bytes = first;
  let movedAt = began;
  let endedAt: number | undefined;
  const timer = setInterval(
    () => {
      const now = performance.now();
      if (socket.bytesRead !== bytes) movedAt = now;
      bytes = socket.bytesRead;
      if (socket.writableFinished || !socket.writableNeedDrain) endedAt ??= now;
      const waited = endedAt === undefined ? now - began >= limits.unsentMs : now - endedAt >= limits.totalMs;
      const silent = endedAt !== undefined && now - Math.max(movedAt, endedAt) >= limits.silentMs;
      if (waited || silent || bytes - first > limits.bytes) socket.destroy();
    },
    Math.min(lookMs, limits.silentMs / 4),
  );
  const stop = () => clearInterval(timer);
  socket.once('close', stop).resume();
  return stop;
}
