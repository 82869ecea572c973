import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PullEvent, PullLayer } from '../../shared/contracts/events.ts';
import type { RunRequest } from '../../shared/contracts/run-request.ts';
import { parseImageReference } from '../../shared/images.ts';
import type { Log } from '../../shared/log.ts';
import { Problem } from '../../shared/problems.ts';
import type { TerminalStatus } from '../../shared/run-states.ts';
import { emptyState, newStep, type RunHead, type RunState } from '../../shared/stores/run-record.ts';
import type { Holder, RunStore } from '../../shared/stores/runs.ts';
import type { ImageInfo, OutputChunk } from './engine/engine.ts';
import type { ImageProvider } from './image-provider.ts';
import { createOutputSink } from './output-sink.ts';
import { judgeExit } from './sandbox/exit.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { type Stop, Stopped } from './stop.ts';

/**
 * The way of one attempt:
 *
 *   image (pulled where it is missing) → sandbox (created, attached) → running (compare-and-set) → start →
 *   output, until the exit or a stop → finished (compare-and-set) → sandbox destroyed
 *
 * The first cause of an end wins. The sandbox is destroyed on every way out.
 */
export type Attempt = {
  holder: Holder;
  head: RunHead;
  request: RunRequest;
  claimedAt: number;
  stop: Stop;
};

export type Execution = {
  runs: RunStore;
  images: ImageProvider;
  /** Makes the sandbox of this attempt, network included; `release` destroys what it made beside the container. */
  open(attempt: Attempt, image: ImageInfo): Promise<{ sandbox: Sandbox; release: () => Promise<void> }>;
  log: Log;
};

/** What became of the attempt. `again`: it was lost with its engine or worker, and follows as another. */
export type Outcome = 'finished' | 'lost' | 'again';

/** The program's last output is read to its end; a stream that hangs though the program has ended is given up. */
const outputGraceMs = 2_000;
/** Pull progress goes to the run's stream at most so often. */
const pullEventMs = 250;
const sizeCheckMs = 1_000;

export async function executeRun(execution: Execution, attempt: Attempt): Promise<Outcome> {
  const { runs, log } = execution;
  const { holder, head, stop } = attempt;
  const state: RunState = structuredClone(emptyState);
  state.timings.queuedMs = Math.max(0, attempt.claimedAt - head.dueAt);
  let storedBytes = 0;
  let opened: { sandbox: Sandbox; release: () => Promise<void> } | undefined;

  const finish = async (status: TerminalStatus): Promise<Outcome> => {
    const now = Date.now();
    state.steps = state.steps.map((step) => ({
      ...step,
      status,
      exitCode: state.exitCode,
      signal: state.signal,
      wallMs: state.timings.runMs,
    }));
    state.finishedAt = new Date(now).toISOString();
    state.timings.totalMs = Math.max(0, now - Date.parse(head.createdAt));
    return (await runs.finish(holder, status, state, storedBytes, head.createdAt)) ? 'finished' : 'lost';
  };

  try {
    const image = await bringImage(execution, attempt, state);
    const began = performance.now();
    opened = await execution.open(attempt, image);
    const { sandbox } = opened;
    stop.signal.throwIfAborted();

    state.startedAt = new Date().toISOString();
    state.steps = [newStep('run')];
    const moved = await runs.move(holder, 'running', state);
    if (moved !== 'moved') stop.stop(moved === 'lost' ? 'lock_lost' : moved);
    stop.signal.throwIfAborted();
    await sandbox.start();
    const started = performance.now();
    state.startedAt = new Date().toISOString();
    state.timings.startMs = round(started - began);

    const end = await follow(execution, attempt, sandbox, (bytes) => {
      storedBytes = bytes;
    });
    state.timings.runMs = round(performance.now() - started);
    state.outputTruncated = end.truncated;
    const cause = stop.cause();
    if (cause === 'lock_lost') return 'lost';
    if (cause === 'shutdown') throw new Stopped('shutdown');
    const oomKilled = end.exitCode !== 0 && cause === undefined && (await sandbox.ranOutOfMemory());
    const exit = judgeExit({
      exitCode: end.exitCode,
      oomKilled,
      killCause: cause ?? null,
      cpuLimited: attempt.request.limits.cpuTimeMs !== null,
    });
    state.exitCode = exit.exitCode;
    state.signal = exit.signal;
    if (cause === 'disk_limit')
      state.error = new Problem(
        'disk_limit',
        `The run wrote more than limits.diskBytes (${attempt.request.limits.diskBytes}) to its root filesystem.`,
      ).toBody();
    return await finish(exit.status);
  } catch (error) {
    const reason = stop.cause();
    if (reason === 'lock_lost') return 'lost';
    if (reason === 'cancelled') return await finish('cancelled');
    const problem = asProblem(error, log, holder);
    if (problem.code === 'engine_unavailable' || problem.code === 'worker_lost') {
      const requeued = await runs.requeue(holder);
      if (requeued !== 'refused') return requeued === 'requeued' ? 'again' : 'lost';
    }
    state.error = problem.toBody();
    return await finish('errored');
  } finally {
    if (opened !== undefined) {
      const { sandbox, release } = opened;
      await sandbox.remove().catch((error) => {
        // The reaper tries again until it is gone.
        log.warn({ run: holder.runId, reason: (error as Error).message }, 'container was not removed');
      });
      await release();
    }
  }
}

async function bringImage(execution: Execution, attempt: Attempt, state: RunState): Promise<ImageInfo> {
  const { holder, request, stop } = attempt;
  const reference = parseImageReference(request.image ?? '')?.familiar ?? '';
  state.image = { reference: request.image ?? '', digest: null };
  const progress = pullReporter(execution.runs, holder, reference);
  const { image, pullMs } = await execution.images.provide(reference, request.pull, holder.tenant, {
    beforePull: async () => {
      const moved = await execution.runs.move(holder, 'pulling', state);
      if (moved !== 'moved') stop.stop(moved === 'lost' ? 'lock_lost' : moved);
      stop.signal.throwIfAborted();
    },
    onProgress: progress.report,
    signal: stop.signal,
  });
  await progress.end(pullMs !== null);
  state.image.digest = image.digest;
  state.timings.pullMs = pullMs === null ? null : round(pullMs);
  return image;
}

/** Feeds stdin, takes output, keeps the limits; resolves when the program has ended. */
async function follow(
  execution: Execution,
  attempt: Attempt,
  sandbox: Sandbox,
  onStored: (bytes: number) => void,
): Promise<{ exitCode: number; truncated: boolean }> {
  const { holder, request, stop } = attempt;
  let sequence = 0;
  const sink = createOutputSink({
    limitBytes: request.limits.outputBytes,
    append: (entries) => {
      sequence += 1;
      return execution.runs.append(holder, `o${sequence}`, entries);
    },
    onLimit: () => stop.stop('output_limit'),
    onLost: () => stop.stop('lock_lost'),
  });
  const kill = () => {
    sandbox.kill().catch((error) => {
      execution.log.warn({ run: holder.runId, reason: (error as Error).message }, 'container was not killed');
    });
  };
  if (stop.signal.aborted) kill();
  else stop.signal.addEventListener('abort', kill, { once: true });
  const timeout = setTimeout(() => stop.stop('timeout'), request.limits.timeoutMs);
  const diskWatch = request.writable ? watchDisk(sandbox, request.limits.diskBytes, stop) : undefined;
  if (sandbox.stdin !== null) feed(sandbox.stdin, Buffer.from(request.stdin ?? '', request.stdinEncoding));
  const drained = (async () => {
    for await (const chunk of sandbox.output) await sink.accept(chunk as OutputChunk);
  })();
  drained.catch(() => {});
  try {
    const { exitCode } = await sandbox.exited;
    clearTimeout(timeout);
    // The engine holds the rest for its reader no longer than about 2 s after the exit.
    sink.hurry();
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, outputGraceMs);
    await Promise.race([drained, grace.promise]).finally(() => clearTimeout(timer));
    const { keptBytes, truncated } = await sink.end();
    onStored(keptBytes);
    return { exitCode, truncated };
  } finally {
    clearTimeout(timeout);
    clearInterval(diskWatch);
    stop.signal.removeEventListener('abort', kill);
  }
}

/** A program need not read its stdin: that it closed the pipe is no error. */
function feed(stdin: Writable, data: Buffer): void {
  pipeline(Readable.from(data.length > 0 ? [data] : []), stdin).catch(() => {});
}

function watchDisk(sandbox: Sandbox, mostBytes: number, stop: Stop): NodeJS.Timeout {
  return setInterval(async () => {
    const written = await sandbox.writtenBytes().catch(() => 0);
    if (written > mostBytes) stop.stop('disk_limit');
  }, sizeCheckMs);
}

/** Sends the pull's picture to the run's stream, at most every so often, and the last one always. */
function pullReporter(runs: RunStore, holder: Holder, reference: string) {
  let latest: PullLayer[] = [];
  let sentAt = 0;
  let sequence = 0;
  let sending: Promise<unknown> = Promise.resolve();
  const send = (status: PullEvent['status']) => {
    sentAt = Date.now();
    sequence += 1;
    const data = JSON.stringify({ reference, status, layers: latest } satisfies PullEvent);
    const number = `p${sequence}`;
    sending = sending.then(() => runs.append(holder, number, [{ type: 'pull', data }])).catch(() => {});
  };
  return {
    report: (layers: PullLayer[]) => {
      latest = layers;
      if (Date.now() - sentAt >= pullEventMs) send('pulling');
    },
    end: async (pulled: boolean) => {
      if (pulled) send('done');
      await sending;
    },
  };
}

/** What the user is told. Anything unforeseen is our fault: it is logged, and said to be ours. */
function asProblem(error: unknown, log: Log, holder: Holder): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Stopped)
    return new Problem('worker_lost', 'The worker was shut down while the run was going on: run it again.');
  log.error({ run: holder.runId, err: error }, 'run failed for an unforeseen reason');
  return new Problem(
    'internal',
    'The run failed for a reason on our side: run it again, and tell the operator.',
  );
}

const round = (ms: number) => Math.round(ms * 10) / 10;
