import { Socket, type SocketConstructorOpts } from 'node:net';

type Told = (error?: Error | null) => void;

/**
 * A socket to a container that can still be read after a write has failed. A container that answers before it
 * has read everything (413, 401) closes; a later write is answered with a reset, on which Node destroys the socket, and with it the
 * answer in its buffer: in a third of tries. The kernel keeps the answer for whoever goes on reading (measured on Linux: always), as nginx
 * and curl do. So a failed write is only noted; the read side finds the end.
 */
export class UpstreamSocket extends Socket {
  /** The error code of a failed write: nothing that is written arrives. */
  broken: string | undefined;

  override _write(chunk: unknown, encoding: BufferEncoding, told: Told): void {
    super._write(chunk, encoding, this.noting(told));
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], told: Told): void {
    // Every net.Socket has it; the types do not say so.
    super._writev?.(chunks, this.noting(told));
  }

  private noting(told: Told): Told {
    return (error) => {
      if (error) this.broken ??= (error as NodeJS.ErrnoException).code ?? error.message;
      told();
    };
  }
}

export const connectTo = (
  address: { host: string; port: number },
  options: SocketConstructorOpts,
): UpstreamSocket => {
  const all = { ...address, ...options, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
  return new UpstreamSocket(all).connect(all);
};
