import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import type { FromGate, ToGate } from './island.ts';

/**
 * The one program inside an island's network beside the notifier (island.ts): takes connections there and hands each to the test through a
 * unix socket, which knows no network namespaces; and takes the questions that a resolver asks.
 */
const [socketPath = ''] = process.argv.slice(2);
const say = (message: FromGate) => process.send?.(message);

const resolver = createSocket('udp4');
resolver.on('message', (question, from) => {
  say({ question: question.toString('base64'), from: from.port });
});
resolver.bind(53, '127.0.0.1', () => say({ ready: true }));

process.on('message', (message: ToGate) => {
  if ('answer' in message) {
    resolver.send(Buffer.from(message.answer, 'base64'), message.to, '127.0.0.1');
    return;
  }
  const { address, port } = message.listen;
  const server = createServer({ allowHalfOpen: true }, (outer) => {
    const inner = connect({ path: socketPath, allowHalfOpen: true });
    // The address goes first and alone, until the test has said that it took it: so all that follows is the connection's own.
    inner.write(`${address} ${port}`);
    inner.once('data', (taken: Buffer) => {
      if (taken.length > 1) inner.unshift(taken.subarray(1));
      outer.pipe(inner).pipe(outer);
    });
    for (const [one, other] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  });
  server.listen(port, address, () => say({ listening: `${address} ${port}` }));
});
process.on('disconnect', () => process.exit(0));
