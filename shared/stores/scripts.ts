import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisConnection } from '../redis.ts';

export type ScriptArgument = string | number | Buffer;

/**
 * One atomic Lua script, made of one file or of several joined together. It is sent as its SHA-1. The text is sent only if
 * Redis does not know it (after a restart, or on a new node).
 */
export type Script = (redis: RedisConnection, keys: string[], args: ScriptArgument[]) => Promise<unknown>;

/** Loads the scripts of a store from the folder `lua` beside it. @param store `import.meta.url` of the store's module */
export function scriptsIn(store: string) {
  const textOf = (parts: string[]): string =>
    parts.map((name) => readFileSync(new URL(`./lua/${name}.lua`, store), 'utf8')).join('');
  return {
    loadScript: (...parts: string[]): Script => scriptOf(textOf(parts)),

    /**
     * A script that Redis runs even if it has reached its `maxmemory`. It is for scripts that end a run, or bring it nearer to
     * its end. What these scripts write is bounded by the number of runs. Anything that starts new work is refused long before
     * (the gateway's store-room.ts).
     */
    loadVitalScript: (...parts: string[]): Script => scriptOf(`#!lua flags=allow-oom\n${textOf(parts)}`),
  };
}

export const { loadScript, loadVitalScript } = scriptsIn(import.meta.url);

function scriptOf(text: string): Script {
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

/** A script's answer as text: Redis returns bulk strings as buffers. */
export function text(reply: unknown): string {
  return Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply);
}
