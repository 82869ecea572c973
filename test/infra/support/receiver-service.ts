import type { Received } from '../../support/receiver.ts';

/** Runs in a container of its own: takes webhooks by POST, and tells by GET what came. */
const program = `
  const received = [];
  require('node:http').createServer((request, response) => {
    if (request.method === 'GET') return response.end(JSON.stringify(received));
    let body = '';
    request.setEncoding('utf8').on('data', (text) => { body += text; });
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      response.writeHead(204).end();
    });
  }).listen(3000);
`;

/** Somebody's server beside Runlet, as a service for Compose: `http://receiver:3000/` there, and on a port of this machine. */
export const receiverService = (port: number) => ({
  image: 'node:24-bookworm-slim',
  command: ['node', '-e', program],
  networks: ['outside'],
  ports: [`127.0.0.1:${port}:3000`],
  // As the first process of its container it would not hear SIGTERM.
  stop_signal: 'SIGKILL',
});

export async function receivedBy(port: number): Promise<Pick<Received, 'headers' | 'body'>[]> {
  return (await (await fetch(`http://127.0.0.1:${port}`)).json()) as Pick<Received, 'headers' | 'body'>[];
}
