import type { Socket } from 'node:net';
import { errors } from 'undici';

/**
 * Breaks a connection off on which a request is answered with more than so many bytes: the parser counts the bytes of headers, but not the
 * empty lines that RFC 9112 (2.2) has it skip before them, and a server may send those as fast as the wire takes them, for as long as
 * it is listened to.
 *
 * An answer begins with the first bytes that come after a request was written, so a connection that is kept may have any number of them.
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
