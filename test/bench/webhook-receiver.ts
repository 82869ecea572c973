import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort } from 'node:worker_threads';

// A thread that takes webhooks as fast as it can, and tells when the first and the last of so many came. On its own, so that whoever
// sends has a processor to itself.

let left = 0;
let first = 0;

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(204).end();
    first ||= performance.now();
    left -= 1;
    if (left === 0) parentPort?.postMessage({ ms: performance.now() - first });
  });
});
server.listen(0, '127.0.0.1', () => {
  parentPort?.postMessage({ port: (server.address() as AddressInfo).port });
});
parentPort?.on('message', (count: number) => {
  left = count;
  first = 0;
});
