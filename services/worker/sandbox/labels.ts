import type { Labels } from '../engine/engine.ts';

/** The labels of everything a worker makes on an engine. Images bring labels of their own: ours are always all set. */
export const labelNames = {
  run: 'dev.runlet.run',
  tenant: 'dev.runlet.tenant',
  attempt: 'dev.runlet.attempt',
  /** The worker's lasting name: what it left behind before a restart is still its own. */
  worker: 'dev.runlet.worker',
  /** One Runlet (one Redis and prefix): two may share an engine and must not clean up after each other. */
  instance: 'dev.runlet.instance',
} as const;

export type SandboxOwner = {
  run: string;
  tenant: string;
  attempt: number;
  worker: string;
  instance: string;
};

export function labelsFor(owner: SandboxOwner): Labels {
  return {
    [labelNames.run]: owner.run,
    [labelNames.tenant]: owner.tenant,
    [labelNames.attempt]: String(owner.attempt),
    [labelNames.worker]: owner.worker,
    [labelNames.instance]: owner.instance,
  };
}

/** Who a container or network belongs to; `null` when it is not one of ours, whatever single labels it carries. */
export function ownerFrom(name: string, labels: Labels): SandboxOwner | null {
  const run = labels[labelNames.run];
  const tenant = labels[labelNames.tenant];
  const attempt = Number(labels[labelNames.attempt]);
  const worker = labels[labelNames.worker];
  const instance = labels[labelNames.instance];
  if (!run || !tenant || !worker || !instance || !Number.isSafeInteger(attempt)) return null;
  if (name !== sandboxName({ run, attempt })) return null;
  return { run, tenant, attempt, worker, instance };
}

/** The name of a run's container, and of its network: one attempt can never have two. */
export function sandboxName(owner: Pick<SandboxOwner, 'run' | 'attempt'>): string {
  return `runlet-${owner.run}-${owner.attempt}`;
}
