import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createApp } from '../../../services/gateway/app.ts';
import { createServiceProxy } from '../../../services/gateway/proxy/proxy.ts';
import { createHttpServer } from '../../../services/gateway/server/server.ts';
import { serviceRequestSchema } from '../../../shared/contracts/service.ts';
import { newId } from '../../../shared/ids.ts';
import { networkNamespace } from '../../../shared/network-namespace.ts';
import type { ServiceStatus } from '../../../shared/service-states.ts';
import {
  emptyServiceState,
  type ServicePlace,
  type ServiceState,
} from '../../../shared/stores/service-record.ts';
import { startGateway } from '../support.ts';

export type Proxied = Awaited<ReturnType<typeof startProxied>>;
export type TestService = Awaited<ReturnType<Proxied['service']>>;

/** A gateway with its proxy, on a port of its own, and a hand for the worker's part. */
export async function startProxied(environment: Record<string, string> = {}, redisUrl?: string) {
  const on = await startGateway(environment, redisUrl);
  const { gateway } = on;
  const proxy = createServiceProxy(gateway);
  const server = createHttpServer(createApp(gateway), proxy);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const port = await listen(server);
  const schema = serviceRequestSchema(gateway.policy);
  const ids: string[] = [];

  return {
    ...on,
    proxy,
    server,
    sockets,
    port,
    url: `http://127.0.0.1:${port}`,

    async apiKey(tenant = 'default', form = `rlk_${randomBytes(12).toString('hex')}`): Promise<string> {
      await gateway.apiKeys.put(form, { keyId: newId('key'), tenant, role: 'user' });
      return form;
    },

    /** A service that a worker has, as a worker would say so. */
    async service(
      options: {
        /** Where its container listens. */
        at?: number;
        name?: string;
        tenant?: string;
        status?: ServiceStatus;
        /** Null: it has none until its next report. */
        place?: Partial<ServicePlace> | null;
        state?: Partial<ServiceState>;
        request?: Record<string, unknown>;
        /** Nobody has it yet. */
        unassigned?: boolean;
      } = {},
    ) {
      const { tenant = 'default', at = 1, status = 'ready' } = options;
      const name = options.name ?? `s${randomBytes(5).toString('hex')}`;
      const id = newId('svc');
      ids.push(id);
      const stated = schema.parse({ name, image: 'busybox', port: at, public: true, ...options.request });
      const head = { id, tenant, name, createdAt: new Date().toISOString() };
      const record = await gateway.services.create(head, stated, { maxServices: 1_000 });
      const worker = newId('wrk');
      const holder = { id, tenant, worker, generation: 1 };
      const place = { netns: networkNamespace(), address: '127.0.0.1', host: '127.0.0.1', ports: {} };
      const state: ServiceState = {
        ...emptyServiceState,
        startedAt: new Date().toISOString(),
        place: { ...place, ...options.place },
        ...options.state,
      };
      if (options.unassigned !== true) {
        await gateway.services.assign(record, worker, 'engine');
        await gateway.services.report(
          holder,
          status,
          options.place === null ? { ...state, place: null } : state,
        );
      }
      return {
        id,
        name,
        tenant,
        worker,
        holder,
        state,
        host: `${name}.${tenant === 'default' ? '' : `${tenant}.`}localhost:${port}`,
        report: (next: ServiceStatus, more: Partial<ServiceState> = {}) =>
          gateway.services.report(holder, next, { ...state, ...more }),
      };
    },

    async stop(): Promise<void> {
      for (const id of ids) {
        const record = await gateway.services.read(id);
        if (record !== undefined) await gateway.services.gone(record, undefined);
      }
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await on.stop();
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

export type Handler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** A container: a real HTTP server. Its connections are counted. */
export async function startContainer(handler: Handler, options = {}) {
  const seen: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer(options, (incoming, outgoing) => {
    seen.push(incoming);
    handler(incoming, outgoing);
  });
  server.on('connection', (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const port = await listen(server);
  return {
    port,
    server,
    seen,
    sockets,
    connections: () => connections,
    async stop(): Promise<void> {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export type Container = Awaited<ReturnType<typeof startContainer>>;

export type Answer = {
  status: number;
  headers: IncomingMessage['headers'];
  raw: string[];
  trailers: IncomingMessage['trailers'];
  body: string;
};

/** How a request reaches the proxy: by the fast lane, or by Node's parser, to which anything unusual sends it. */
export const ways = [
  ['fast lane', {}],
  ['Node’s parser', { upgrade: 'something-else' }],
] as const satisfies [string, Record<string, string>][];

/** A request of any Host, on a connection of its own. */
export function call(
  port: number,
  host: string,
  path = '/',
  options: { method?: string; headers?: Record<string, string | string[]>; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    // Node counts it for some methods only.
    const length = body !== undefined && { 'content-length': Buffer.byteLength(body) };
    const outgoing = request({
      ...{ host: '127.0.0.1', port, path, method, agent: false },
      headers: { host, ...length, ...headers },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          raw: incoming.rawHeaders,
          trailers: incoming.trailers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    outgoing.end(body);
  });
}

/** Bytes on a socket, and what comes back until the other side ends it or `enough` is there. */
export function raw(port: number, bytes: string, enough?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let text = '';
    const done = () => {
      socket.destroy();
      resolve(text);
    };
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (enough?.test(text)) done();
    });
    socket.on('end', done);
    socket.on('error', reject);
  });
}

/** The problem of an answer of the proxy's own. */
export function problemIn(answer: Answer): { code: string; detail: string; status: number } {
  if (answer.headers['content-type'] !== 'application/problem+json')
    throw new Error(`not a problem: ${answer.status} ${JSON.stringify(answer.headers)} ${answer.body}`);
  return JSON.parse(answer.body);
}
