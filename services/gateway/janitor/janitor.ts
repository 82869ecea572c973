import { randomUUID } from 'node:crypto';
import type { Gateway } from '../gateway.ts';
import { isStoreError } from '../http/store-errors.ts';
import { createApiKeySweep } from './api-keys.ts';
import { type BlobSweepParts, createBlobSweep } from './blobs.ts';
import { createIndexRepair } from './index-repair.ts';
import { createOpenRunsSweep, type OpenRunsParts } from './open-runs.ts';
import { enforceRetention, type RetentionParts } from './retention.ts';
import { createServicesSweep, type ServicesSweepParts } from './services.ts';

export type JanitorParts = Pick<Gateway, 'apiKeys' | 'janitorLock' | 'log' | 'tenantIndexes'> &
  BlobSweepParts &
  OpenRunsParts &
  RetentionParts &
  ServicesSweepParts;

const defaultIntervalMs = 5_000;

/**
 * Repairs what a crash between two steps left behind, and forgets what is too old. Every step is idempotent and
 * fenced, so two janitors at once do no harm; the lock only spares the work.
 */
export function createJanitor(gateway: JanitorParts, intervalMs = defaultIntervalMs) {
  const me = randomUUID();
  const sweepOpenRuns = createOpenRunsSweep(gateway);
  const repairIndexes = createIndexRepair(gateway);
  const sweepBlobs = createBlobSweep(gateway);
  const sweepServices = createServicesSweep(gateway);
  const sweepApiKeys = createApiKeySweep(gateway);
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  /** One sweep, without asking for the lock. */
  async function sweep(now = Date.now()): Promise<void> {
    await separately('open runs', () => sweepOpenRuns(now));
    await separately('services', () => sweepServices(now));
    await separately('retention', () => enforceRetention(gateway, now));
    await separately('indexes', repairIndexes);
    await separately('blobs', () => sweepBlobs(now));
    await separately('API keys', () => sweepApiKeys(now));
  }

  /** A fault in one duty does not stop the others. An error of Redis does: the others would fail as well. */
  async function separately(duty: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (isStoreError(error)) throw error;
      gateway.log.error({ duty, err: error }, 'janitor failed');
    }
  }

  async function turn(): Promise<void> {
    try {
      // The lock ends before the next turn, which may be another gateway's.
      if (await gateway.janitorLock.take(me, Math.ceil(intervalMs * 0.9))) await sweep();
    } catch (error) {
      const reason = (error as Error).message;
      // The next turn does what this one could not.
      if (isStoreError(error)) gateway.log.warn({ reason }, 'janitor waits for Redis');
      else gateway.log.error({ reason, stack: (error as Error).stack }, 'janitor failed');
    }
  }

  return {
    sweep,
    start(): void {
      timer = setInterval(() => {
        if (running !== undefined) return;
        running = turn().finally(() => {
          running = undefined;
        });
      }, intervalMs);
      timer.unref();
    },
    async stop(): Promise<void> {
      clearInterval(timer);
      await running;
    },
  };
}
