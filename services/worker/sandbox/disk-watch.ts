import { stat, statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../../shared/log.ts';
import type { ContainerId, Engine } from '../engine/engine.ts';
import { createHiddenBytes } from './disk-hidden.ts';
import { createDiskLook, type DiskGroup } from './disk-look.ts';
import { type DiskLimits, groupsOf } from './disk-places.ts';

/**
 * Nothing a container writes goes by what is free of its file system: so that is looked at often, which costs a microsecond however many
 * containers there are, and a container is measured when what went since its last measure could have taken it over its limit.
 */
const tickMs = 50;
/** Noise of others' is no reason to measure. */
const leastDropBytes = 1024 * 1024;
/** Somebody may have freed what another wrote: each is measured so often as well where anything moves, and so often where nothing does. */
const movedMs = 1_000;
const unmovedMs = 30_000;
/** A regular measure takes at most so much of the time. */
const share = 20;
/** What an engine says of a container's size takes it some work. */
const engineMs = 1_000;
/** One that could not be measured (it is on its way up, or down) is tried again after this. */
const againMs = 500;

/** Over the limit of the root (`null`), or of the volume at this path of the container. */
export type DiskOver = { volume: string | null };

type Seen = { groups: DiskGroup[]; filesystems: Map<number, string>; pid: number };
type Measured = { at: number; tookMs: number; roomBytes: number; free: Map<number, number> };
type Watched = {
  id: ContainerId;
  limits: DiskLimits;
  onOver: (over: DiskOver) => void;
  /** `null`: from here only the engine can tell. */
  seen?: Seen | null;
  last?: Measured;
  hidden: ReturnType<typeof createHiddenBytes>;
  /** Until it is over no other look is begun. */
  looking: boolean;
  isLeft: boolean;
  warned: boolean;
};

export type DiskWatch = ReturnType<typeof createDiskWatch>;

/**
 * Ends what writes more than it may. Where the worker is root on the engine's machine it sees all of it: the root's files, those that
 * are deleted and held, volumes, the container's own hosts, hostname and resolv.conf. Elsewhere it is the engine that is asked for
 * the root's size, which knows of no deleted file and no volume; there `RLIMIT_FSIZE` alone bounds each file.
 */
export function createDiskWatch(options: { engine: Engine; initPath: string; log: Log }) {
  const { engine, log } = options;
  const sees = engine.local && process.getuid?.() === 0;
  const helpers = createDiskLook(options.initPath);
  const watched = new Set<Watched>();
  let timer: NodeJS.Timeout | undefined;
  let ticking = false;

  async function see(one: Watched): Promise<Seen | null> {
    if (!sees) return null;
    const found = await engine.diskPlaces(one.id);
    if (found === null || found.pid === 0) throw new Error('the container does not run');
    const groups = await groupsOf(found, one.limits);
    if (groups === null) return null;
    const filesystems = new Map<number, string>();
    try {
      for (const { path } of groups.flatMap(({ places }) => places))
        filesystems.set((await stat(path)).dev, path);
    } catch {
      // The worker is in a container of its own, say.
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
      const bytes = (await engine.containerSize(one.id)) ?? 0;
      if (bytes > one.limits.rootBytes) return tell(one, 0);
    } else {
      const { groups, pid } = one.seen;
      const use = await helpers.look(pid, groups);
      use.bytes[0] = (use.bytes[0] ?? 0) + one.hidden(use, sum(free.values()));
      const over = use.bytes.findIndex((bytes, group) => bytes > (groups[group]?.mostBytes ?? 0));
      if (over >= 0) return tell(one, over);
      if (!use.complete) warn(one, 'not all that a container has written could be looked at in time');
      roomBytes = Math.min(...groups.map(({ mostBytes }, group) => mostBytes - (use.bytes[group] ?? 0)));
    }
    const at = performance.now();
    one.last = { at, tookMs: at - began, roomBytes, free };
  }

  function warn(one: Watched, message: string, reason?: string): void {
    if (!one.warned) log.warn({ container: one.id, ...(reason && { reason }) }, message);
    one.warned = true;
  }

  function isDue({ seen, last }: Watched, free: Map<number, number>): boolean {
    if (last === undefined || seen === undefined) return true;
    const agoMs = performance.now() - last.at;
    if (seen === null) return agoMs >= engineMs;
    let gone = 0;
    let moved = 0;
    for (const filesystem of seen.filesystems.keys()) {
      const before = last.free.get(filesystem);
      const now = free.get(filesystem);
      const drop = before === undefined || now === undefined ? 0 : before - now;
      gone += Math.max(0, drop);
      moved += Math.abs(drop);
    }
    if (gone > Math.max(leastDropBytes, last.roomBytes / 2) && agoMs >= last.tookMs) return true;
    return agoMs >= Math.max(moved > 0 ? movedMs : unmovedMs, last.tookMs * share);
  }

  /** One look, and the wait after one that failed. Never rejects. */
  async function look(one: Watched): Promise<void> {
    one.looking = true;
    try {
      await measure(one);
    } catch (error) {
      if (one.isLeft) return;
      warn(one, 'what a container has written could not be looked at', (error as Error).message);
      // The program is not one of this machine's.
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

  return {
    /** Whether it sees all that containers write, or has only the engine's word on their roots. */
    sees,
    /** Of a container that runs. `onOver` is called once at most. Answers what ends the watch. */
    watch(id: ContainerId, limits: DiskLimits, onOver: (over: DiskOver) => void): () => void {
      const one: Watched = {
        id,
        limits,
        onOver,
        hidden: createHiddenBytes(),
        looking: false,
        isLeft: false,
        warned: false,
      };
      watched.add(one);
      timer ??= setInterval(tick, tickMs);
      return () => leave(one);
    },
    close(): void {
      for (const one of [...watched]) leave(one);
      helpers.close();
    },
  };
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((all, one) => all + one, 0);

/** An inode counts as much as the program that measures counts an empty file. */
const inodeBytes = 4096;

/** What is free of each file system, by a path in it: bytes, and room for files. */
async function freeOf(paths: Map<number, string>): Promise<Map<number, number>> {
  const free = new Map<number, number>();
  for (const [id, path] of paths) {
    // Gone with its container: next time another one's is asked.
    const found = await statfs(path).catch(() => undefined);
    if (found !== undefined) free.set(id, found.bfree * found.bsize + found.ffree * inodeBytes);
  }
  return free;
}
