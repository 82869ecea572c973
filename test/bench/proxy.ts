import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { gatewayEnvironment, policyOf } from '../../services/gateway/environment.ts';
import { serviceRequestSchema } from '../../shared/contracts/service.ts';
import { newId } from '../../shared/ids.ts';
import { networkNamespace } from '../../shared/network-namespace.ts';
import { emptyServiceState } from '../../shared/stores/service-record.ts';
import { createServiceStore } from '../../shared/stores/services.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import type { Context } from './context.ts';
import { median, type Row } from './measure.ts';
import { storesOf } from './stores.ts';

const connections = 32;
const sliceMs = 500;
const body = 'hello world\n';

/** What answers, and what asks, each in a thread of its own: `node`, a Node server; `bare`, one that reads no request at all. */
type Role = { role: 'node' | 'bare' } | { role: 'load' };
/** For `ms`: how many answers came, and, over one connection, how long each took. */
type Load = { port: number; host: string; connections: number; ms: number };
type Loaded = { answers: number; ms: number; times: number[] };

/**
 * The gateway between a client and a service, against the same client at the same service. Direct and proxied in turn, in short slices, so
 * that a machine that is slower for a while is so for both.
 */
export async function serviceProxy(context: Context): Promise<Row[]> {
  const runlet = await startRunlet(context.lab, { workers: 0 });
  const threads = await Promise.all((['node', 'bare', 'load'] as const).map(startThread));
  try {
    const [node, bare, load] = threads;
    if (node === undefined || bare === undefined || load === undefined) return [];
    const measuring = (async () => [
      ...(await throughput(context, runlet, load.thread, 'a Node server', node.port)),
      ...(await throughput(context, runlet, load.thread, 'a server that reads nothing', bare.port)),
      await latency(context, runlet, load.thread, node.port),
    ])();
    return await Promise.race([measuring, context.interrupted]);
  } finally {
    for (const { thread } of threads) await thread.terminate();
    await runlet.stop();
  }
}

async function throughput(
  { rounds }: Context,
  runlet: Runlet,
  thread: Worker,
  what: string,
  port: number,
): Promise<Row[]> {
  const { direct, proxied } = await waysTo(runlet, port);
  const rates = { direct: [] as number[], proxied: [] as number[] };
  for (let i = -4; i < Math.max(6, rounds); i += 1)
    for (const way of ['direct', 'proxied'] as const) {
      const { answers, ms } = await loaded(thread, { ...{ direct, proxied }[way], connections, ms: sliceMs });
      // The first slices compile the code.
      if (i >= 0) rates[way].push(answers / (ms / 1_000));
    }
  const [mine, peer] = [median(rates.proxied), median(rates.direct)];
  return [
    {
      what: `proxy: requests over ${connections} connections to ${what}, vs direct`,
      runlet: `${mine.toFixed(0)} /s`,
      peer: `${peer.toFixed(0)} /s`,
      ratio: (mine / peer).toFixed(2),
      goal: '≥ 0.6',
    },
  ];
}

async function latency({ rounds }: Context, runlet: Runlet, thread: Worker, port: number): Promise<Row> {
  const ways = await waysTo(runlet, port);
  const times = { direct: [] as number[], proxied: [] as number[] };
  for (let i = -2; i < Math.max(6, rounds); i += 1)
    for (const way of ['direct', 'proxied'] as const) {
      const slice = await loaded(thread, { ...ways[way], connections: 1, ms: sliceMs / 2 });
      if (i >= 0) times[way].push(...slice.times);
    }
  const [mine, peer] = [median(times.proxied), median(times.direct)];
  return {
    what: 'proxy: p50 of a request over one connection, vs direct',
    runlet: `${mine.toFixed(2)} ms`,
    peer: `${peer.toFixed(2)} ms`,
    ratio: `+${(mine - peer).toFixed(2)} ms`,
    goal: '≤ +1 ms',
  };
}

/** A service whose container is what listens at this port, as a worker would say so. */
async function waysTo(runlet: Runlet, port: number) {
  const { redis, keys, sealer } = storesOf(runlet);
  const store = createServiceStore(redis, keys, sealer);
  const policy = policyOf(gatewayEnvironment.parse({ RUNLET_SECRET_KEY: runlet.env.RUNLET_SECRET_KEY }));
  const request = serviceRequestSchema(policy).parse({ image: 'busybox', port, public: true });
  const head = { id: newId('svc'), tenant: 'default', name: `at-${port}-${Date.now()}`, createdAt: '' };
  const record = await store.create(head, request, 1_000);
  const worker = newId('wrk');
  await store.assign(record, worker, 'bench');
  const place = { netns: networkNamespace(), address: '127.0.0.1', host: '127.0.0.1', ports: {} };
  const holder = { id: head.id, tenant: 'default', worker, generation: 1 };
  await store.report(holder, 'ready', { ...emptyServiceState, place });
  redis.disconnect();
  const host = `${head.name}.localhost`;
  return { direct: { port, host }, proxied: { port: Number(new URL(runlet.url).port), host } };
}

async function loaded(thread: Worker, load: Load): Promise<Loaded> {
  thread.postMessage(load);
  const [result] = (await once(thread, 'message')) as [Loaded];
  return result;
}

async function startThread(role: Role['role']): Promise<{ thread: Worker; port: number }> {
  const thread = new Worker(new URL(import.meta.url), { workerData: { role } satisfies Role });
  const [{ port }] = (await once(thread, 'message')) as [{ port: number }];
  return { thread, port };
}

// What the threads do.

function listen(server: ReturnType<typeof createTcpServer>): void {
  server.listen(0, '127.0.0.1', () =>
    parentPort?.postMessage({ port: (server.address() as AddressInfo).port }),
  );
}

/** One answer for each piece that comes: with one request at a time on a connection, that is one request. */
function answerBlindly(socket: Socket): void {
  const answer = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  socket.setNoDelay(true);
  socket.on('data', () => socket.write(answer)).on('error', () => socket.destroy());
}

/** Each connection asks again as soon as it has its answer. */
async function ask({ port, host, connections: lanes, ms }: Load): Promise<Loaded> {
  const request = `GET / HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`;
  const times: number[] = [];
  let answers = 0;
  const sockets = Array.from({ length: lanes }, () => connect({ port, host: '127.0.0.1', noDelay: true }));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const began = performance.now();
  await Promise.all(
    sockets.map(async (socket) => {
      let asked = performance.now();
      socket.on('data', (data) => {
        if (data.toString('latin1', data.length - body.length) !== body)
          throw new Error(`an answer that is none: ${data.toString('latin1').slice(0, 500)}`);
        const now = performance.now();
        answers += 1;
        if (lanes === 1) times.push(now - asked);
        asked = now;
        if (now - began < ms) socket.write(request, 'latin1');
        else socket.destroy();
      });
      socket.write(request, 'latin1');
      await once(socket, 'close');
    }),
  );
  return { answers, ms: performance.now() - began, times };
}

if (!isMainThread) {
  const { role } = workerData as Role;
  if (role === 'bare') listen(createTcpServer(answerBlindly));
  else if (role === 'node')
    listen(
      createServer((_, outgoing) =>
        outgoing.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length }).end(body),
      ),
    );
  else {
    parentPort?.postMessage({ port: 0 });
    parentPort?.on(
      'message',
      (load: Load) => void ask(load).then((result) => parentPort?.postMessage(result)),
    );
  }
}
