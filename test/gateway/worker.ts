import type { Worker } from '../../shared/contracts/worker.ts';
import { newId } from '../../shared/ids.ts';
import type { TerminalStatus } from '../../shared/run-states.ts';
import { emptyState, newStep, type RunState } from '../../shared/stores/run-record.ts';
import type { Holder, NewEvent } from '../../shared/stores/runs.ts';
import { type TestGateway, until } from './support.ts';

/** Plays a worker's part by the same stores that workers use. */
export function actAsWorker({ gateway }: Pick<TestGateway, 'gateway'>, id = newId('wrk')) {
  const { runs } = gateway;
  let appended = 0;

  return {
    id,
    async claim(runId: string): Promise<Holder> {
      const claim = await runs.claim(runId, id);
      if (claim.verdict !== 'claimed') throw new Error(`claim of ${runId}: ${claim.verdict}`);
      return { runId, tenant: claim.head.tenant, attempt: claim.attempt, worker: id };
    },
    async start(runId: string): Promise<Holder> {
      const holder = await this.claim(runId);
      await runs.move(holder, 'running', { ...emptyState, startedAt: new Date().toISOString() });
      return holder;
    },
    append(holder: Holder, ...entries: NewEvent[]): Promise<boolean> {
      appended += 1;
      return runs.append(holder, String(appended), entries);
    },
    out(holder: Holder, ...lines: string[]): Promise<boolean> {
      return this.append(holder, ...lines.map((data) => ({ type: 'stdout' as const, data })));
    },
    async finish(holder: Holder, status: TerminalStatus = 'succeeded', state: Partial<RunState> = {}) {
      const record = await runs.read(holder.runId);
      const now = new Date().toISOString();
      return runs.finish(
        holder,
        status,
        {
          ...emptyState,
          exitCode: 0,
          steps: [{ ...newStep('run'), status, exitCode: 0 }],
          startedAt: now,
          finishedAt: now,
          ...state,
        },
        64,
        record?.head.createdAt ?? now,
      );
    },
    /** From the claim to the end, as a short program would have it. */
    async perform(runId: string, output = 'hello\n'): Promise<Holder> {
      const holder = await this.start(runId);
      await this.out(holder, output);
      await this.finish(holder);
      return holder;
    },
    /** Says that it lives. */
    async beat(more: Partial<Worker> = {}, images: { reference: string; id: string }[] = []) {
      const now = new Date().toISOString();
      await gateway.workers.beat(
        { ...aWorker, id, startedAt: now, lastSeenAt: now, ...more },
        images.map((image) => ({ digest: null, sizeBytes: 1, createdAt: now, ...image })),
      );
    },
  };
}

/** The next command that the gateway has for this worker. */
export const nextCommand = ({ gateway }: TestGateway, id: string) => until(() => gateway.workers.take(id));

/** A page of workers or of images. */
export const pageOf = async (response: Response) =>
  (await response.json()) as {
    data: { id: string; reference: string; workers: string[] }[];
    nextCursor: string | null;
  };

const aWorker: Omit<Worker, 'id' | 'startedAt' | 'lastSeenAt'> = {
  name: 'test',
  status: 'ready',
  version: '0.0.0',
  engine: {
    id: 'engine-of-tests',
    name: 'docker',
    version: '29.0.0',
    apiVersion: '1.52',
    runcVersion: null,
    storageDriver: 'overlayfs',
    cgroupVersion: '2',
    os: 'linux',
    architecture: 'x86_64',
    kernel: '6.1',
    userNamespace: false,
  },
  isolations: ['container'],
  egress: true,
  runUser: null,
  capacity: { memoryBytes: 1_000, cpus: 2 },
  inUse: { memoryBytes: 10, cpus: 1, runs: 1 },
  warm: [],
  disk: null,
  host: null,
};
