import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { ensureTools } from './apt.ts';
import { type Child, startChild } from './child.ts';
import type { ChildRegister } from './child-register.ts';
import { waitUntil } from './pids.ts';
import type { Say } from './say.ts';
import { shortSocketPath } from './sockets.ts';

export interface RedisOptions {
  /** Only its data and its socket are in this folder. */
  folder: string;
  logFile: string;
  say: Say;
  /** Default: half of the machine's memory, within bounds. */
  maxMemoryBytes?: number;
  register?: ChildRegister;
  onCrash?: () => void;
}

export interface RunningRedis {
  url: string;
  socket: string;
  child: Child;
}

/** Starts a Redis (or Valkey) of our own on a private unix socket, and waits until it answers. */
export async function startRedis(options: RedisOptions): Promise<RunningRedis> {
  const [command] = await ensureTools([redisTool], options.say);
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  chmodSync(options.folder, 0o700);
  const socket = shortSocketPath(join(options.folder, 'redis.sock'));
  rmSync(socket, { force: true });
  const child = await startChild({
    name: 'redis',
    command: command ?? 'redis-server',
    args: redisArguments(options.folder, socket, options.maxMemoryBytes ?? usualMemoryBytes()),
    logFile: options.logFile,
    ...(options.register === undefined ? {} : { register: options.register }),
    ...(options.onCrash === undefined ? {} : { onCrash: options.onCrash }),
  });
  // A long append-only file takes a while to load. Until then Redis answers -LOADING.
  const ready = await waitUntil(async () => !child.isRunning() || (await pings(socket)), 60_000, 20);
  if (!ready || !child.isRunning()) {
    await child.stop();
    throw new Error(`Redis did not come up. The end of its log, ${options.logFile}:\n${child.tail()}`);
  }
  return { url: `unix://${socket}`, socket, child };
}

export const redisTool = {
  names: ['redis-server', 'valkey-server'] as [string, ...string[]],
  packages: ['redis-server'] as [string, ...string[]],
};

const MiB = 1024 * 1024;

/** Runs and warm sandboxes need the other half of the memory. */
function usualMemoryBytes(): number {
  // In a container this is its limit. If it has none, this is 0, or more than the machine has.
  const limit = process.constrainedMemory();
  const all = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return Math.floor(Math.min(Math.max(all / 2, 256 * MiB), 4096 * MiB));
}

function redisArguments(folder: string, socket: string, maxMemoryBytes: number): string[] {
  const settings: Record<string, string> = {
    // Only users who may enter the folder (0700) can reach it, and no network can.
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    dir: folder,
    // A 2xx means that the run is stored. So every write is on disk before its answer (measured: 0.6 ms per run).
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    // At this size Redis refuses writes that need more memory. The gateway refuses new runs long before that (store-room.ts).
    maxmemory: String(maxMemoryBytes),
    // Runs and jobs must never be evicted to make room.
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Does a Redis on this socket answer PING with PONG? */
export function pings(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const finish = (answer: boolean) => {
      connection.destroy();
      resolve(answer);
    };
    connection.setTimeout(1_000, () => finish(false));
    connection.once('error', () => finish(false));
    connection.once('connect', () => connection.write('PING\r\n'));
    connection.once('data', (data) => finish(data.toString().startsWith('+PONG')));
  });
}
