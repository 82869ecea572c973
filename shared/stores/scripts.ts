import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisConnection } from '../redis.ts';

export type ScriptArgument = string | number | Buffer;

/**
 * One atomic Lua script. Sent by its SHA-1; the text goes over the wire only when Redis does not know it (after a
 * restart, or on a new node). Made of one file, or of several that stand one after another.
 */
export type Script = (redis: RedisConnection, keys: string[], args: ScriptArgument[]) => Promise<unknown>;

export function loadScript(...parts: string[]): Script {
  const text = parts
    .map((name) => readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8'))
    .join('');
  const sha = createHash('sha1').update(text).digest('hex');
  return async (redis, keys, args) => {
    try {
      return await redis.callBuffer('EVALSHA', sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('NOSCRIPT')) throw error;
      return await redis.callBuffer('EVAL', text, keys.length, ...keys, ...args);
    }
  };
}

/** A script's answer as text: bulk strings come as buffers. */
export function text(reply: unknown): string {
  return Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply);
}
