import { createServer } from 'node:net';

/** Can a server listen on this address now? */
export async function isFree(host: string, port: number): Promise<boolean> {
  return (await listenOnce(host, port)) !== undefined;
}

/** The preferred port if it is free, else any free port. */
export async function freePort(host: string, preferred = 0): Promise<number> {
  const port = (await listenOnce(host, preferred)) ?? (await listenOnce(host, 0));
  if (port === undefined)
    throw new Error(`No port can be listened on at ${host}: does this address exist here?`);
  return port;
}

function listenOnce(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}
