import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../../shared/log.ts';
import type { ContainerId, DiskPlaces } from '../engine/containers.ts';
import type { Engine } from '../engine/engine.ts';
import { type FreeBytes, freeOf, type Measured, shouldMeasure } from './free.ts';
import { createHiddenBytes } from './hidden.ts';
import { createDiskLook, type DiskGroup } from './look.ts';
import { type DiskLimits, groupsOf } from './places.ts';

/** How often the free bytes of the file systems are read. */
const tickMs = 50;
/** How long a measurement may take; one that was not complete by then has twice as long next time. */
const lookMs = 2_000;
const maxLookMs = 64_000;
/** How often the engine is asked for a container's size: that costs it some work. */
const engineMs = 1_000;
/** A container that could not be measured (it is starting, or stopping) is tried again after this. */
const againMs = 500;

/** Over the limit of the root (`null`), or of the volume at this path of the container. */
export type DiskOver = { volume: string | null };

/** What a container has written, as whoever keeps it tells. */
export type ContainerDisk = {
  id: ContainerId;
  /** Where it ends up on this machine; `null` when the container is gone. */
  places(): Promise<DiskPlaces | null>;
  /** How much it is, where nobody can look at that; `null` when the container is gone. */
  size(): Promise<number | null>;
};

/** The same of a container that runs on the engine. */
export const containerDisk = (engine: Pick<Engine, 'containers'>, id: ContainerId): ContainerDisk => ({
  id,
  places: () => engine.containers.diskPlaces(id),
  size: () => engine.containers.size(id),
});

type Seen = { groups: DiskGroup[]; filesystems: Map<number, string>; pid: number };
type Watched = {
  container: ContainerDisk;
  limits: DiskLimits;
  onOver: (over: DiskOver) => void;
  /** `null`: its files are not visible from here, and the engine is asked. */
  seen?: Seen | null;
  last?: Measured;
  lookMs: number;
  hidden: ReturnType<typeof createHiddenBytes>;
  /** As long as one measurement goes on, no other is begun. */
  looking: boolean;
  isLeft: boolean;
  warned: boolean;
};

export type DiskWatch = ReturnType<typeof createDiskWatch>;

/**
 * Tells of containers that write more than they may, and that the file system's own quotas do not hold (heldTo). Where the worker is root on
 * the engine's machine it sees all that they write: the
 * root's files, deleted files that are open, volumes, the container's own hosts, hostname and resolv.conf. Elsewhere the engine is asked
 * for the root's size, which leaves out deleted files and volumes; there only `RLIMIT_FSIZE` bounds each file.
 */
export function createDiskWatch(options: {
  engine: Pick<Engine, 'containers' | 'local'>;
  initPath: string;
  log: Log;
}) {
  const { engine, log } = options;
  const sees = engine.local && process.getuid?.() === 0;
  const helpers = createDiskLook(options.initPath);
  const watched = new Set<Watched>();
  let timer: NodeJS.Timeout | undefined;
  let ticking = false;

  async function see(one: Watched): Promise<Seen | null> {
    if (!sees) return null;
    const found = await one.container.places();
    if (found === null || found.pid === 0) throw new Error('the container does not run');
    const groups = await groupsOf(found, one.limits);
    if (groups === null) return null;
    const filesystems = new Map<number, string>();
    try {
      for (const { path } of groups.flatMap(({ places }) => places))
        filesystems.set((await stat(path)).dev, path);
    } catch (error) {
      // For example, the worker runs in a container.
      const { message } = error as Error;
      warn(one, 'what a container writes is not visible from here: the engine is asked instead', message);
      return null;
    }
    return { groups, filesystems, pid: found.pid };
  }

  function tell(one: Watched, group: number): void {
    if (one.isLeft) return;
    leave(one);
    one.onOver({ volume: group === 0 ? null : (one.limits.volumes[group - 1]?.path ?? null) });
  }

  async function measure(one: Watched): Promise<void> {
    const began = performance.now();
    if (one.seen === undefined) one.seen = await see(one);
    const free = await freeOf(one.seen?.filesystems ?? new Map());
    let roomBytes = 0;
    if (one.seen === null) {
      const bytes = (await one.container.size()) ?? 0;
      if (bytes > one.limits.rootBytes) return tell(one, 0);
    } else {
      const { groups, pid } = one.seen;
      const use = await helpers.look(pid, groups, one.lookMs);
      const isFinal = use.complete || one.lookMs >= maxLookMs;
      use.bytes[0] = (use.bytes[0] ?? 0) + one.hidden(use, sum(free.values()), isFinal);
      const over = use.bytes.findIndex((bytes, group) => bytes > (groups[group]?.maxBytes ?? 0));
      if (over >= 0) return tell(one, over);
      if (!use.complete) one.lookMs = Math.min(maxLookMs, one.lookMs * 2);
      if (!use.complete && isFinal)
        warn(one, 'not all that a container has written can be looked at in time');
      roomBytes = Math.min(...groups.map(({ maxBytes }, group) => maxBytes - (use.bytes[group] ?? 0)));
    }
    const at = performance.now();
    one.last = { at, tookMs: at - began, roomBytes, free };
  }

  function warn(one: Watched, message: string, reason?: string): void {
    if (!one.warned) log.warn({ container: one.container.id, ...(reason && { reason }) }, message);
    one.warned = true;
  }

  function isDue({ seen, last }: Watched, free: FreeBytes): boolean {
    if (last === undefined || seen === undefined) return true;
    const now = performance.now();
    return seen === null ? now - last.at >= engineMs : shouldMeasure(last, free, now);
  }

  /** One measurement, and the wait after one that failed. Never rejects. */
  async function look(one: Watched): Promise<void> {
    one.looking = true;
    try {
      await measure(one);
    } catch (error) {
      if (one.isLeft) return;
      warn(one, 'what a container has written could not be looked at', (error as Error).message);
      // The init's program cannot be executed on this machine.
      if ((error as NodeJS.ErrnoException).syscall?.startsWith('spawn')) one.seen = null;
      await sleep(againMs);
    } finally {
      one.looking = false;
    }
  }

  async function tick(): Promise<void> {
    if (ticking) return;
    ticking = true;
    const paths = new Map<number, string>();
    for (const { seen } of watched) for (const [id, path] of seen?.filesystems ?? []) paths.set(id, path);
    const free = await freeOf(paths);
    ticking = false;
    for (const one of watched) if (!one.looking && isDue(one, free)) void look(one);
  }

  function leave(one: Watched): void {
    one.isLeft = true;
    watched.delete(one);
    if (watched.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  /** `onOver` is called once at most. */
  function watch(container: ContainerDisk, limits: DiskLimits, onOver: (over: DiskOver) => void): () => void {
    const one: Watched = {
      container,
      limits,
      onOver,
      lookMs,
      hidden: createHiddenBytes(),
      looking: false,
      isLeft: false,
      warned: false,
    };
    watched.add(one);
    timer ??= setInterval(tick, tickMs);
    return () => leave(one);
  }

  return {
    /** Whether it sees all that containers write, or can only ask the engine for the size of their roots. */
    sees,
    /** Of a sandbox, whose root has this limit. Answers what ends the watch. */
    watchSandbox: (container: ContainerDisk, rootBytes: number, onOver: () => void) =>
      watch(container, { rootBytes, volumes: [] }, onOver),
    /** Of a container of the engine's that runs. Answers what ends the watch. */
    watch: (id: ContainerId, limits: DiskLimits, onOver: (over: DiskOver) => void) =>
      watch(containerDisk(engine, id), limits, onOver),
    close(): void {
      for (const one of [...watched]) leave(one);
      helpers.close();
    },
  };
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((all, one) => all + one, 0);
