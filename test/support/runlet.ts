import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeFlags } from '../../infra/parts/node-flags.ts';
import type { Run } from '../../shared/contracts/run.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { connectRedis } from '../../shared/redis.ts';
import { docker } from './docker.ts';
import { sandboxesOn } from './sandboxes.ts';

export type Program = {
  pid: number;
  /** Lines of its log, the newest last. */
  lines: string[];
  stop(signal?: NodeJS.Signals): Promise<void>;
  exited: Promise<void>;
  /** Whether it ended, or was killed, without a chance to clean up. */
  killed(): boolean;
};

export type Runlet = {
  url: string;
  apiKey: string;
  prefix: string;
  env: Record<string, string>;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Posts a run and waits for its end, however long it takes. */
  run(request: Record<string, unknown>): Promise<Run>;
  /** Waits until a run has ended. */
  ended(id: string): Promise<Run>;
  /** The name of the worker with this id; the worker must be alive. */
  workerName(id: string | null): Promise<string | undefined>;
  startWorker(env?: Record<string, string>): Promise<Program>;
  startGateway(env?: Record<string, string>): Promise<Program>;
  startNotifier(env?: Record<string, string>): Promise<Program>;
  gateway: Program;
  workers: Program[];
  stop(): Promise<void>;
};

const terminal = /^(succeeded|failed|timed_out|out_of_memory|output_limit|cancelled|errored|expired)$/;

/** Calls the API of a running gateway. */
export const callerOf =
  (url: string, apiKey: string): Runlet['call'] =>
  (method, path, body, headers = {}) =>
    fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });

/** A whole Runlet of real processes. It is separate from any other: it has its own prefix, port and data folder. */
export async function startRunlet(
  lab: { redisUrl: string; dockerHost: string },
  options: { workers?: number; env?: Record<string, string> } = {},
): Promise<Runlet> {
  const prefix = `t${randomBytes(5).toString('hex')}`;
  const apiKey = `rlk_${randomBytes(12).toString('hex')}`;
  const dataDir = await mkdtemp(join(tmpdir(), 'runlet-test-'));
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '/root',
    // As `npm start` sets it.
    ...(process.env.NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }),
    RUNLET_REDIS_URL: lab.redisUrl,
    RUNLET_REDIS_PREFIX: prefix,
    RUNLET_SECRET_KEY: randomBytes(32).toString('base64'),
    RUNLET_DATA_DIR: dataDir,
    RUNLET_CONFIG_DIR: dataDir,
    RUNLET_API_KEY: apiKey,
    RUNLET_HOST: '127.0.0.1',
    RUNLET_PORT: '0',
    DOCKER_HOST: lab.dockerHost,
    // The lab's registries are on loopback.
    RUNLET_REGISTRY_ALLOW: '127.0.0.0/8',
    ...options.env,
  };
  const programs: Program[] = [];
  const start = async (service: string, more: Record<string, string>, ready: RegExp) => {
    const program = await startProgram(service, { ...env, ...more }, ready);
    // Programs are stopped in the reverse order. The gateway stops last, since clients hear from it that a run has ended.
    if (service === 'gateway') programs.unshift(program);
    else programs.push(program);
    return program;
  };
  const workers: Program[] = [];
  const startGateway = (more = {}) => start('gateway', more, /"listening"/);
  const startNotifier = (more = {}) => start('notifier', more, /"ready"/);
  const startWorker = async (more = {}) => {
    const worker = await start('worker', more, /"ready"/);
    workers.push(worker);
    return worker;
  };
  // They start at the same time as the gateway, since they need not wait for it.
  const workersStarted = (async () => {
    for (let i = 0; i < (options.workers ?? 1); i += 1) await startWorker({ RUNLET_WORKER_NAME: `node${i}` });
  })();
  const startedGateway = startGateway();
  const [gateway] = await Promise.all([startedGateway, workersStarted]).catch(async (error) => {
    // What did start stays for nobody.
    await Promise.allSettled([startedGateway, workersStarted]);
    for (const program of programs.reverse()) await program.stop();
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  });
  const listening = gateway.lines.find((line) => line.includes('"listening"')) ?? '{}';
  const url = (JSON.parse(listening) as { address: string }).address;
  // The next gateway uses the same port, so that clients find it.
  env.RUNLET_PORT = new URL(url).port;

  const call = callerOf(url, apiKey);
  const ended = async (id: string): Promise<Run> => {
    for (;;) {
      const response = await call('GET', `/v1/runs/${id}`);
      if (!response.ok) throw new Error(`GET ${id}: ${response.status} ${await response.text()}`);
      const run = (await response.json()) as Run;
      if (terminal.test(run.status)) return run;
      await sleep(50);
    }
  };

  const workerName = async (id: string | null) => {
    const { data } = (await (await call('GET', '/v1/workers')).json()) as { data: Worker[] };
    return data.find((worker) => worker.id === id)?.name;
  };

  return {
    url,
    workerName,
    apiKey,
    prefix,
    env,
    call,
    ended,
    gateway,
    workers,
    startWorker,
    startGateway,
    startNotifier,
    async run(request) {
      const response = await call('POST', '/v1/runs', request, { prefer: 'wait=30' });
      const body = (await response.json()) as Run;
      if (response.status === 200) return body;
      if (response.status !== 202)
        throw new Error(`POST /v1/runs: ${response.status} ${JSON.stringify(body)}`);
      return ended(body.id);
    },
    async stop() {
      const killed = new Set(programs.filter((program) => program.killed()).map(workerOf));
      for (const program of programs.reverse()) await program.stop();
      await failOnLeaks(lab, prefix, killed);
      await removeKeys(lab.redisUrl, prefix);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function startProgram(service: string, env: Record<string, string>, ready: RegExp): Promise<Program> {
  const main = `services/${service}/main.ts`;
  const child = spawn(process.execPath, [...nodeFlags(service), main], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let rest = '';
    const take = (data: Buffer) => {
      const parts = (rest + data.toString('utf8')).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        if (lines.length > 2_000) lines.shift();
        if (ready.test(line)) resolve();
      }
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    void exited.then(() =>
      reject(new Error(`${main} ended before it was ready:\n${lines.join('\n')}${rest}`)),
    );
  });
  return {
    pid: child.pid ?? 0,
    lines,
    exited,
    stop: (signal = 'SIGTERM') => end(child, signal, exited),
    killed: () => child.signalCode === 'SIGKILL' || (child.exitCode ?? 0) !== 0,
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals, exited: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  const hard = setTimeout(() => child.kill('SIGKILL'), 30_000);
  await exited;
  clearTimeout(hard);
}

/** The id of a worker, from the log line that says that it is ready. */
function workerOf(program: Program): string {
  const line = program.lines.find((one) => one.includes('"ready"')) ?? '{}';
  return (JSON.parse(line) as { worker?: string }).worker ?? '';
}

/** A worker that was stopped normally leaves no container. If it was killed, the next worker removes its containers. */
async function failOnLeaks(
  lab: { redisUrl: string; dockerHost: string },
  prefix: string,
  killed: Set<string>,
): Promise<void> {
  const redis = connectRedis(lab.redisUrl, 'loop', createLog('test', 'silent'));
  const instance = await redis.get(keysFor(prefix).instance);
  redis.disconnect();
  if (instance === null) return;
  const direct = (await sandboxesOn(lab.dockerHost)).filter(
    (one) => one.driver === 'oci' && one.instance === instance && !killed.has(one.worker),
  );
  const format = '{{.ID}} {{.Names}} {{.Label "dev.runlet.worker"}}';
  const filter = `label=dev.runlet.instance=${instance}`;
  const found = (await docker(lab.dockerHost, 'ps', '-a', '--filter', filter, '--format', format)).split(
    '\n',
  );
  const left = found.filter((line) => line !== '').map((line) => line.split(' '));
  for (const [id = ''] of left) await docker(lab.dockerHost, 'rm', '-f', id);
  const leaked = left.filter(([, , worker = '']) => !killed.has(worker)).map(([, name]) => name);
  leaked.push(...direct.map(({ name }) => name));
  if (leaked.length > 0) throw new Error(`sandboxes were left behind: ${leaked.join(', ')}`);
}

async function removeKeys(redisUrl: string, prefix: string): Promise<void> {
  const redis = connectRedis(redisUrl, 'loop', createLog('test', 'silent'));
  const keys = await redis.keys(`{${prefix}}*`);
  if (keys.length > 0) await redis.del(...keys);
  redis.disconnect();
}
