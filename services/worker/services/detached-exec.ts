import { readFile } from 'node:fs/promises';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { Problem } from '../../../shared/problems.ts';
import {
  keptEndedExecs,
  maxDetachedExecs,
  type ServiceExecRecord,
  type ServiceExecStore,
} from '../../../shared/stores/service-execs.ts';
import type { ContainerState } from '../engine/containers.ts';
import type { Engine } from '../engine/engine.ts';
import { serviceName } from '../labels.ts';

/** An engine forgets how a program ended (Docker after five minutes): it is looked at well before that. */
const lookMs = 5_000;

export type DetachedExec = ReturnType<typeof createDetachedExec>;

/**
 * Programs that are started inside a service and left to themselves: the engine's own, so that they outlive the worker. They end with their
 * container, and nobody keeps what they write.
 */
export function createDetachedExec(options: {
  engine: Pick<Engine, 'containers' | 'local'>;
  execs: ServiceExecStore;
  /** Whether a run of this worker's is under way. */
  isUnderWay: (runId: string) => boolean;
}) {
  const { engine, execs } = options;
  /** Services in which there is one that had not ended when it was last looked at. */
  const watched = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  /** How it is now; the same object where nothing has changed. */
  async function now(exec: ServiceExecRecord, container: ContainerState | null): Promise<ServiceExecRecord> {
    if (exec.status === 'exited' || exec.engineExec === null) return exec;
    const ended = (exitCode: number | null): ServiceExecRecord => ({
      ...exec,
      status: 'exited',
      exitCode,
      engineExec: null,
    });
    const state = await engine.containers.inspectExec(exec.engineExec);
    if (state !== null && !state.running) return ended(state.exitCode);
    const isThere = container?.running === true && container.startedAt === exec.containerStartedAt;
    return state === null || !isThere ? ended(null) : exec;
  }

  return {
    /** Resolves when it has been executed. Rejects with a Problem when it cannot be. */
    async start(
      runId: string,
      service: string,
      container: ContainerState,
      { command = [], env, workdir = '' }: Pick<RunRequest, 'command' | 'env' | 'workdir'>,
    ): Promise<void> {
      const running = (await this.look(service)).filter(
        ({ detached, status }) => detached && status === 'running',
      );
      if (running.length >= maxDetachedExecs)
        throw new Problem(
          'start_failed',
          `In the service ${maxDetachedExecs} detached programs run already: end one of them first.`,
        );
      const startedAt = new Date().toISOString();
      const engineExec = await engine.containers.execDetached(container.id, {
        argv: command,
        user: '',
        workdir,
        env,
      });
      const state = await engine.containers.inspectExec(engineExec);
      await execs.put(service, {
        id: runId,
        command,
        detached: true,
        startedAt,
        pid: state === null || !engine.local ? null : await pidInside(state.pid, container.id),
        status: 'running',
        exitCode: null,
        engineExec,
        containerStartedAt: container.startedAt,
      });
      watched.add(service);
    },

    /** Looks how the programs of a service are, writes it down, and forgets those that ended longest ago. */
    async look(service: string): Promise<ServiceExecRecord[]> {
      const container = await engine.containers.inspect(serviceName(service));
      const known = await execs.list(service);
      const seen: ServiceExecRecord[] = [];
      const gone: string[] = [];
      for (const exec of known) {
        const here = await now(exec, container);
        if (here !== exec) await execs.put(service, here);
        // A program that is not detached ends with its run, and so with the worker that had it.
        const isOver = !exec.detached && !options.isUnderWay(exec.id);
        if (isOver) gone.push(exec.id);
        else seen.push(here);
      }
      const ended = seen.filter(({ status }) => status === 'exited').slice(keptEndedExecs);
      await execs.drop(service, [...gone, ...ended.map(({ id }) => id)]);
      const left = seen.filter((exec) => !ended.includes(exec));
      if (left.some(({ detached, status }) => detached && status === 'running')) watched.add(service);
      else watched.delete(service);
      return left;
    },

    watch(): void {
      timer = setInterval(() => {
        for (const service of watched) this.look(service).catch(() => {});
      }, lookMs).unref();
    },

    stop: () => clearInterval(timer),
  };
}

/** Its process id as seen in the container; null where this machine's /proc does not show the engine's processes. */
async function pidInside(pid: number, container: string): Promise<number | null> {
  try {
    const [cgroup, status] = await Promise.all([
      readFile(`/proc/${pid}/cgroup`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ]);
    const inside = /^NSpid:.*\t(\d+)$/m.exec(status)?.[1];
    return cgroup.includes(container) && inside !== undefined ? Number(inside) : null;
  } catch {
    return null;
  }
}
