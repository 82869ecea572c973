import { Socket, type SocketConstructorOpts } from 'node:net';

type Told = (error?: Error | null) => void;

/**
 * A socket to a container that can still be read when it cannot be written to any more. A container that has said enough before it
 * has heard all (413, 401) closes; what is written then is answered with a reset, by which Node destroys the socket, and with it the
 * answer that lies in its buffer: in a third of tries. The kernel keeps that for whoever reads on (measured on Linux: always), as nginx
 * and curl do. So a write that fails is noted, and nothing else; the read side tells of the end.
 */
export class UpstreamSocket extends Socket {
  /** What is written goes nowhere. Why, by its code. */
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
