import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createListener, type Socket } from 'node:net';
import { sh } from '../../worker/engine/support.ts';

/** Somebody who must not be called: knows of each connection that was made, whatever was said on it. */
export type Bystander = { port: number; calls: string[]; stop(): Promise<void> };

/** Answers like a server that holds a secret, at an address of this machine. */
export async function bystander(address: string, secret = 'the secret of a neighbour'): Promise<Bystander> {
  const calls: string[] = [];
  const open = new Set<Socket>();
  const body = JSON.stringify({ errors: [{ code: 'DENIED', message: secret }], token: secret });
  const server = createListener((socket) => {
    const index = calls.push('') - 1;
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.on('data', (data) => {
      calls[index] += data.toString('latin1');
      if (!calls[index]?.includes('\r\n\r\n')) return;
      const head = `HTTP/1.1 500 ${secret}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
      socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    calls,
    stop() {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export type Answer = { status?: number; headers?: Record<string, string>; body?: string };

/** A registry of an attacker's: answers each path as the test says, on loopback. */
export async function hostileRegistry(answer: (path: string, request: IncomingMessage) => Answer) {
  const asked: { path: string; headers: IncomingMessage['headers'] }[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '';
    asked.push({ path, headers: request.headers });
    const { status = 200, headers = {}, body = '' } = answer(path, request);
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    asked,
    stop() {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Puts addresses on this machine's own loopback: whoever calls them reaches a test, and no packet leaves. */
export function onLoopback(addresses: string[]): () => void {
  const put: string[] = [];
  for (const address of addresses) {
    sh('ip', 'addr', 'add', `${address}/32`, 'dev', 'lo');
    put.push(address);
  }
  return () => {
    for (const address of put) sh('ip', 'addr', 'del', `${address}/32`, 'dev', 'lo');
  };
}
