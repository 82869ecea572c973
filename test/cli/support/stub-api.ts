// Before any schema is made: the real gateway, in tests that start one, needs them with what this adds.
import '@hono/zod-openapi';
import type { AddressInfo } from 'node:net';
import { type HttpBindings, type ServerType, serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { ProblemBody } from '../../../shared/contracts/problem.ts';
import { runRequestSchema } from '../../../shared/contracts/run-request.ts';
import type { Image, Worker } from '../../../shared/contracts/worker.ts';
import { answer, problem, type StubContext } from './stub-answers.ts';
import { addEventRoutes, StubEvents } from './stub-events.ts';
import { addImageRoutes, type PullScript } from './stub-images.ts';
import { answerEvents, newRun, policy, type Script, type StubRun, withMadeSecret } from './stub-runs.ts';
import { addWebhookRoutes, StubWebhooks } from './stub-webhooks.ts';

/** What happens to the next request instead of its answer. */
export type Fault =
  | 'drop'
  | 'drop-after'
  | { status: number; retryAfter?: string; location?: string; problem?: Partial<ProblemBody> };
export type Seen = { method: string; path: string; headers: Record<string, string>; body: unknown };

export const testKey = 'rk_test_0123456789abcdef';

const languages = [
  {
    name: 'python',
    version: '3.11.2',
    aliases: ['py', 'python3'],
    image: 'python:3.11',
    compiled: false,
    fileName: 'main.py',
  },
];

/**
 * The network peer of the CLI: the API's surface as the contract has it, validated by the contract's own schemas, with
 * faults on demand. No program runs behind it; what a run does is the test's script.
 */
export class StubApi {
  readonly seen: Seen[] = [];
  readonly runs = new Map<string, StubRun>();
  /** Faults for the next requests whose `METHOD /path` starts with the key. */
  readonly faults = new Map<string, Fault[]>();
  script: Script = { events: [] };
  images: Image[] = [];
  workers: Worker[] = [];
  languages = [...languages];
  pulls: PullScript = { events: [] };
  readonly webhooks = new StubWebhooks();
  readonly events = new StubEvents();
  readiness: { status: number; body: unknown } = {
    status: 200,
    body: { status: 'ready', redis: { version: '7.4.1' }, workers: 1 },
  };
  dateSkewMs = 0;
  /** False: a server of an older version, which answers `POST /v1/runs` with the run, never with its events. */
  streamsCreated = true;
  readonly #byKey = new Map<string, { body: string; id: string }>();
  #server: ServerType | undefined;
  url = '';

  async start(): Promise<this> {
    const app = this.#app();
    await new Promise<void>((resolve) => {
      this.#server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, (info: AddressInfo) => {
        this.url = `http://127.0.0.1:${info.port}`;
        resolve();
      });
    });
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    for (const run of this.runs.values()) run.release();
    if ('closeAllConnections' in server) server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** The requests to a route, in order. */
  requests(method: string, path: string | RegExp): Seen[] {
    const matches = (given: string) => (typeof path === 'string' ? given === path : path.test(given));
    return this.seen.filter((request) => request.method === method && matches(request.path));
  }

  #app(): Hono<{ Bindings: HttpBindings }> {
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.use(async (c, next) => {
      await this.#record(c);
      const fault = this.#nextFault(c);
      if (fault === 'drop') return hangUp(c);
      if (typeof fault === 'object') return refuse(fault);
      await next();
      if (this.dateSkewMs !== 0)
        c.res.headers.set('date', new Date(Date.now() + this.dateSkewMs).toUTCString());
      if (fault === 'drop-after') c.res = hangUp(c);
    });
    app.get('/healthz', (c) => c.json({ status: 'alive' }));
    app.get('/readyz', (_c) => answer(this.readiness.status, this.readiness.body));
    app.use('/v1/*', async (c, next) => {
      if (c.req.header('authorization') === `Bearer ${testKey}`) return next();
      return answer(
        401,
        problem(401, 'unauthorized', 'An API key is required', 'Send it as a bearer token.'),
      );
    });
    this.#addRunRoutes(app);
    addImageRoutes(app, this);
    addWebhookRoutes(app, this.webhooks);
    addEventRoutes(app, this.events);
    app.get('/v1/languages', (c) => c.json({ data: this.languages }));
    app.get('/v1/workers', (c) => c.json({ data: this.workers, nextCursor: null }));
    app.post('/v1/workers/:id/drain', (c) => c.json({ id: c.req.param('id'), status: 'draining' }, 202));
    app.delete('/v1/workers/:id/drain', (c) => c.body(null, 204));
    app.put('/v1/registries/:host', (c) => c.body(null, 204));
    app.delete('/v1/registries/:host', (c) => c.body(null, 204));
    return app;
  }

  #addRunRoutes(app: Hono<{ Bindings: HttpBindings }>): void {
    app.post('/v1/runs', async (c) => {
      const body = await c.req.text();
      const parsed = runRequestSchema(policy).safeParse(JSON.parse(body));
      if (!parsed.success) {
        const errors = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
        const bad = problem(
          400,
          'validation_failed',
          'The request is not valid',
          'Correct the fields named.',
        );
        return answer(400, { ...bad, errors });
      }
      const key = c.req.header('idempotency-key') ?? '';
      const before = this.#byKey.get(key);
      if (before !== undefined && before.body !== body)
        return answer(422, problem(422, 'idempotency_mismatch', 'Used with another body', 'Take a new key.'));
      const run = (before && this.runs.get(before.id)) ?? newRun(parsed.data, this.script);
      this.runs.set(run.record.id, run);
      if (key !== '') this.#byKey.set(key, { body, id: run.record.id });
      c.header('location', `/v1/runs/${run.record.id}`);
      if (c.req.header('accept') === 'text/event-stream' && this.streamsCreated) return answerEvents(c, run);
      const made = before === undefined ? withMadeSecret(run.record, parsed.data) : run.record;
      return c.json(made, 202);
    });
    // What is executed in a service is shown as a run.
    app.post('/v1/services/:name/exec', async (c) => {
      const { command } = (await c.req.json()) as { command: string[] };
      const run = newRun(runRequestSchema(policy).parse({ image: 'busybox', command }), this.script);
      this.runs.set(run.record.id, run);
      return c.json(run.record, 202);
    });
    app.get('/v1/runs', (c) => {
      const limit = Number(c.req.query('limit') ?? 20);
      const wanted = c.req.query('status')?.split(',');
      const metadata = Object.entries(c.req.query()).filter(([name]) => name.startsWith('metadata.'));
      const all = [...this.runs.values()]
        .map(({ record }) => record)
        .filter(({ status }) => !wanted || wanted.includes(status))
        .filter((one) => metadata.every(([name, value]) => one.metadata[name.slice(9)] === value))
        .sort((a, b) => (a.id < b.id ? 1 : -1));
      const from = Number(c.req.query('cursor') ?? 0);
      const nextCursor = from + limit < all.length ? String(from + limit) : null;
      return c.json({ data: all.slice(from, from + limit), nextCursor });
    });
    const known = (c: StubContext, act: (run: StubRun) => Response | Promise<Response>) => {
      const run = this.runs.get(c.req.param('id') ?? '');
      return run
        ? act(run)
        : answer(404, problem(404, 'not_found', 'Nothing was found under this id', 'List them.'));
    };
    app.get('/v1/runs/:id', (c) => known(c, ({ record }) => c.json(record)));
    app.get('/v1/runs/:id/events', (c) => known(c, (run) => answerEvents(c, run)));
    app.post('/v1/runs/:id/cancel', (c) =>
      known(c, (run) => {
        run.cancel();
        return c.json(run.record, 202);
      }),
    );
    app.delete('/v1/runs/:id', (c) =>
      known(c, (run) => {
        if (['queued', 'pulling', 'running'].includes(run.record.status))
          return answer(409, problem(409, 'conflict', 'Not possible now', 'Cancel the run first.'));
        this.runs.delete(run.record.id);
        return c.body(null, 204);
      }),
    );
  }

  async #record(c: StubContext): Promise<void> {
    const text = c.req.method === 'GET' ? '' : await c.req.raw.clone().text();
    this.seen.push({
      method: c.req.method,
      path: c.req.path,
      headers: c.req.header(),
      body: text === '' ? undefined : JSON.parse(text),
    });
  }

  #nextFault(c: StubContext): Fault | undefined {
    const name = `${c.req.method} ${c.req.path}`;
    for (const [prefix, queue] of this.faults) if (name.startsWith(prefix)) return queue.shift();
    return undefined;
  }
}

function refuse(fault: Exclude<Fault, string>): Response {
  const { status, retryAfter, location } = fault;
  const body = {
    ...problem(status, 'overloaded', 'The system is full', 'Try again later.'),
    ...fault.problem,
  };
  return answer(status, body, {
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
    ...(location !== undefined && { location }),
  });
}

function hangUp(c: StubContext): Response {
  c.env.incoming.socket.destroy();
  return new Response(null);
}
