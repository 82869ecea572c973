import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort } from 'node:worker_threads';

// A thread that takes webhooks as fast as it can, and says when half of so many have come, and when all: how long after the first. On
// its own, so that whoever sends has a processor to itself.

let count = 0;
let came = 0;
let first = 0;

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(204).end();
    first ||= performance.now();
    came += 1;
    if (came === count || came === Math.floor(count / 2))
      parentPort?.postMessage({ ms: performance.now() - first });
  });
});
server.listen(0, '127.0.0.1', () => {
  parentPort?.postMessage({ port: (server.address() as AddressInfo).port });
});
parentPort?.on('message', (next: number) => {
  count = next;
  came = 0;
  first = 0;
});
