import type { Socket } from 'node:net';
import { type Duplex, Writable } from 'node:stream';
import type { ContainerId } from '../containers.ts';
import type { Attachment } from '../streams.ts';
import type { DockerClient } from './client.ts';
import { containerLost } from './containers.ts';
import { Demux } from './demux.ts';
import { isRefusal, unavailable, unexpected } from './errors.ts';

/**
 * Output and stdin have a connection each. With one for both, our pending write fails where a program ends without reading all of its
 * stdin, and Node then drops the connection with the output that it still held.
 */
export async function attach(
  client: DockerClient,
  id: ContainerId,
  options: { stdin: boolean; signal?: AbortSignal },
): Promise<Attachment> {
  const open = (streams: Record<string, number>) =>
    client
      .hijack({
        method: 'POST',
        path: `/containers/${encodeURIComponent(id)}/attach`,
        query: { stream: 1, ...streams },
        signal: options.signal,
      })
      .catch((error) => {
        throw isRefusal(error, 404) ? containerLost() : unexpected(error, 'attach to the container');
      });
  const [output, input] = await Promise.allSettled([
    open({ stdout: 1, stderr: 1 }),
    options.stdin ? open({ stdin: 1 }) : null,
  ]);
  if (output.status === 'fulfilled' && input.status === 'fulfilled')
    return attachmentOver(output.value, input.value, client.shown);
  for (const one of [output, input]) if (one.status === 'fulfilled') one.value?.destroy();
  throw output.status === 'rejected' ? output.reason : (input as PromiseRejectedResult).reason;
}

/** Over two hijacked connections, from which the HTTP head has been read. */
export function attachmentOver(output: Duplex, input: Duplex | null, shown: string): Attachment {
  const chunks = outputFrom(output, shown);
  const stdin = input === null ? null : stdinInto(input);
  return {
    output: chunks,
    stdin,
    close() {
      chunks.destroy();
      stdin?.destroy();
    },
  };
}

// A program may write nothing for hours; only the run's own limits end it.
const noTimeout = (socket: Duplex) => (socket as Partial<Socket>).setTimeout?.(0);

function outputFrom(socket: Duplex, shown: string): Demux {
  noTimeout(socket);
  const chunks = new Demux((why) => unavailable(shown, why));
  const broken = (cause?: Error) =>
    chunks.destroy(unavailable(shown, 'the connection broke during the output', cause));
  socket.on('error', broken);
  socket.on('close', () => {
    if (!socket.readableEnded) broken();
  });
  chunks.on('close', () => socket.destroy());
  socket.pipe(chunks);
  return chunks;
}

/** Never fails: what the program does not read, because it has closed its stdin or ended, is dropped, as by a shell's pipe. */
function stdinInto(socket: Duplex): Writable {
  noTimeout(socket);
  socket.on('error', () => {});
  socket.resume();
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (socket.destroyed) done();
      else socket.write(chunk, () => done());
    },
    // All that was written while corked is sent together.
    writev(chunks, done) {
      if (socket.destroyed) done();
      else socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), () => done());
    },
    final(done) {
      if (socket.destroyed) done();
      else socket.end(() => done());
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
    // Else it would close the connection as soon as its last byte is written, before the program has read it.
    autoDestroy: false,
  });
}
