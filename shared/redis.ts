import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Log } from './log.ts';
import { within } from './within.ts';

export type RedisConnection = Redis | Cluster;

/**
 * `request`: for work that an HTTP request waits for. It fails at once when Redis is away, so that the client gets 503 and does
 * not wait.
 * `loop`: waits for Redis without a limit (BullMQ's workers and pub/sub need that).
 */
export type ConnectionRole = 'request' | 'loop';

/**
 * Sends in one write all commands that are made until the event loop turns. Redis then carries them out together and writes to its disk
 * once. A write of its own for each command cost a run under load 0.3 ms here, and as much in Redis (two cores, a virtual machine, where
 * waking another process is dear). In a cluster each command is sent alone.
 */
class GatheringRedis extends Redis {
  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    const { stream } = this;
    if (stream !== undefined && stream.writableCorked === 0) {
      stream.cork();
      setImmediate(() => stream.uncork());
    }
    return super.sendCommand(...args);
  }
}

/**
 * Connects to Redis ≥ 7 or Valkey.
 *
 * @param url redis://, rediss:// · unix:///path/to.sock · redis+sentinel://host:port,host:port/master ·
 *   redis+cluster://host:port,host:port (user and password before an @ in each)
 */
export function connectRedis(url: string, role: ConnectionRole, log: Log): RedisConnection {
  const options = {
    maxRetriesPerRequest: role === 'loop' ? null : 1,
    enableOfflineQueue: role === 'loop',
    connectTimeout: 5_000,
    // If the connection hangs, its commands must not hang too. Blocking reads have their own connections.
    ...(role === 'request' && { commandTimeout: 10_000 }),
    retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times, 6), 2_000),
  } satisfies RedisOptions;
  const connection = open(url, options);
  connection.on('error', (error: Error) => log.warn({ reason: error.message }, 'redis connection failed'));
  return connection;
}

type Options = {
  maxRetriesPerRequest: number | null;
  enableOfflineQueue: boolean;
  connectTimeout: number;
  commandTimeout?: number;
  retryStrategy: (times: number) => number;
};

function open(url: string, options: Options): RedisConnection {
  if (url.startsWith('unix://')) return new GatheringRedis({ ...options, path: url.slice('unix://'.length) });
  const many = /^(rediss?)\+(sentinel|cluster):\/\/(?:([^@/]*)@)?([^/]+)(?:\/(.*))?$/.exec(url);
  if (many === null) return new GatheringRedis(url, options);
  const [, scheme, kind, auth = '', hosts = '', name = ''] = many;
  const [username, password] = auth.includes(':') ? auth.split(/:(.*)/s) : ['', auth];
  const nodes = hosts.split(',').map((node) => {
    const at = node.lastIndexOf(':');
    return at < 0
      ? { host: node, port: kind === 'sentinel' ? 26379 : 6379 }
      : { host: node.slice(0, at), port: Number(node.slice(at + 1)) };
  });
  const credentials = {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(scheme === 'rediss' && { tls: {} }),
  };
  if (kind === 'sentinel')
    return new GatheringRedis({ ...options, ...credentials, sentinels: nodes, name: name || 'mymaster' });
  return new Cluster(nodes, {
    redisOptions: { ...options, ...credentials },
    enableOfflineQueue: options.enableOfflineQueue,
  });
}

/** Waits until Redis answers. If it does not answer in time, throws an error that names the address without its password. */
export async function waitForRedis(
  connection: RedisConnection,
  url: string,
  deadlineMs: number,
): Promise<void> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    try {
      await connection.ping();
      return;
    } catch (cause) {
      if (Date.now() > until) {
        throw new Error(
          `Redis does not answer at ${url.replace(/\/\/[^@/]*@/, '//***@')}: start it, or set RUNLET_REDIS_URL.`,
          { cause },
        );
      }
      await sleep(50);
    }
  }
}

/** How long a connection that ends waits for the last answers. */
const lastAnswersMs = 1_000;

/**
 * Ends a connection when Redis has answered what was sent over it, but at most a second later. Cut off, such a command fails, and whoever
 * sent it may no longer be there to hear of that: ioredis itself renews subscriptions in this way, and the failure ends the process.
 */
export async function closeRedis(connection: RedisConnection): Promise<void> {
  await within(
    lastAnswersMs,
    connection.quit().catch(() => {}),
  );
  connection.disconnect();
}
