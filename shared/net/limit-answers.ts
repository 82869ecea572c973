import type { Socket } from 'node:net';
import { errors } from 'undici';

/**
 * Closes a connection on which the answer to a request has more bytes than this. The parser counts the bytes of headers. It
 * does not count the empty lines before them, which RFC 9112 (2.2) tells it to skip. A server can send such lines without end,
 * as fast as the network takes them.
 *
 * An answer begins with the first bytes that come after a request was written. So a connection that is kept open may carry any
 * number of answers.
 */
export function limitAnswers(socket: Socket, maxBytes: number): void {
  let written = 0;
  let before = 0;
  let read = 0;
  socket.on('readable', () => {
    if (socket.bytesWritten !== written) {
      written = socket.bytesWritten;
      before = read;
    }
    read = socket.bytesRead;
    if (read - before > maxBytes) socket.destroy(new errors.HeadersOverflowError());
  });
}
