import { setTimeout as sleep } from 'node:timers/promises';
import type { Keys } from '../../../shared/keys.ts';
import type { Log } from '../../../shared/log.ts';
import type { RedisConnection } from '../../../shared/redis.ts';
import { type AttachMessage, consumeAttach, readAttach, sizeWaiting } from '../../../shared/stores/attach.ts';
import type { RunningStep } from '../sandbox/init/session.ts';

export type AttachInput = {
  /** Gives a running step what attached clients send. Call the answer to end that. */
  carry(runId: string, step: RunningStep): () => void;
  /** The size of the terminal of a client that attached before the program was started. */
  size(runId: string): Promise<{ cols: number; rows: number } | undefined>;
};

/** The longest that one read waits for input; then it is repeated. */
const blockMs = 5_000;
const againMs = 200;

/** Each interactive run has a connection of its own, since a blocked read holds it. */
export function attachInputFrom(options: {
  redis: RedisConnection;
  connect: () => RedisConnection;
  keys: Keys;
  log: Log;
}): AttachInput {
  const { redis, keys, log } = options;
  const carryTo: AttachInput['carry'] = (runId, step) => {
    const connection = options.connect();
    let open = true;
    let after = '0';
    const carry = async () => {
      const taken = await readAttach(connection, keys, runId, after, blockMs);
      for (const { id, message } of taken) {
        if (!open) return;
        // It waits until the init has room. Nothing is consumed until then, so the sender waits too.
        await give(step, message);
        await consumeAttach(redis, keys, runId, [id]);
        after = id;
      }
    };
    const loop = async () => {
      while (open) {
        await carry().catch(async (error: Error) => {
          if (!open) return;
          log.warn({ run: runId, reason: error.message }, 'input could not be read');
          await sleep(againMs);
        });
      }
    };
    void loop();
    return () => {
      open = false;
      connection.disconnect();
    };
  };
  return { carry: carryTo, size: (runId) => sizeWaiting(redis, keys, runId) };
}

async function give(step: RunningStep, message: AttachMessage): Promise<void> {
  switch (message.type) {
    case 'stdin':
      return step.stdin.write(message.data);
    case 'eof':
      return step.stdin.end();
    case 'signal':
      return step.signal(message.signal);
    case 'resize':
      return step.resize(message.cols, message.rows);
    default:
      return message satisfies never;
  }
}
