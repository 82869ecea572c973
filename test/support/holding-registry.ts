import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A registry, but of each layer the last byte is held back until it is let go: a pull that is under way for as long as a test likes. */
export async function startHoldingRegistry(upstream: string) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const asked = request(`http://${upstream}${url}`, { method, headers: { ...headers, host: upstream } });
    asked.on('response', async (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      const bytes = Buffer.concat(await answer.toArray());
      const isLayer = method === 'GET' && answer.headers['content-type'] === 'application/octet-stream';
      if (isLayer) {
        outgoing.write(bytes.subarray(0, -1));
        await released;
        outgoing.end(bytes.subarray(-1));
      } else outgoing.end(bytes);
    });
    asked.on('error', () => outgoing.destroy());
    asked.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    release,
    async stop() {
      release();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
