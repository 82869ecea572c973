import type { Labels } from './engine/label-set.ts';

/** The labels of everything a worker makes on an engine. Images bring labels of their own: ours are always all set. */
export const labelNames = {
  run: 'dev.runlet.run',
  tenant: 'dev.runlet.tenant',
  attempt: 'dev.runlet.attempt',
  /** The worker's lasting name: what it left behind before a restart is still its own. */
  worker: 'dev.runlet.worker',
  /** In place of run, tenant and attempt: a sandbox made ahead, for whoever comes first. Labels cannot be changed later. */
  warm: 'dev.runlet.warm',
  /** In place of run, tenant and attempt: a container by which an image is looked into, and which never runs. */
  look: 'dev.runlet.look',
  /** In place of run, tenant and attempt: a container that never runs, and by which the engine keeps an image whose files are in use. */
  pin: 'dev.runlet.pin',
  /** In place of run and attempt: a container that is kept alive, and its network. */
  service: 'dev.runlet.service',
  /** Which start of the service by a worker a container is of. */
  generation: 'dev.runlet.generation',
  /** Beside the others: the number of the user that the sandbox's programs have, of which no other sandbox has it. */
  user: 'dev.runlet.user',
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

/** A sandbox made ahead of its run. */
export type WarmOwner = { warm: string; worker: string; instance: string };

export function warmLabelsFor(owner: WarmOwner): Labels {
  return {
    [labelNames.warm]: owner.warm,
    [labelNames.worker]: owner.worker,
    [labelNames.instance]: owner.instance,
  };
}

/** A look into an image. */
export type LookOwner = { look: string; worker: string; instance: string };

export function lookLabelsFor(owner: LookOwner): Labels {
  return {
    [labelNames.look]: owner.look,
    [labelNames.worker]: owner.worker,
    [labelNames.instance]: owner.instance,
  };
}

/** The hold on an image. */
export type PinOwner = { pin: string; worker: string; instance: string };

export function pinLabelsFor(owner: PinOwner): Labels {
  return {
    [labelNames.pin]: owner.pin,
    [labelNames.worker]: owner.worker,
    [labelNames.instance]: owner.instance,
  };
}

/** A service's container; without a generation its network, which several of them may have one after another. */
export type ServiceOwner = {
  service: string;
  tenant: string;
  generation?: number;
  worker: string;
  instance: string;
};

export function serviceLabelsFor(owner: ServiceOwner): Labels {
  return {
    [labelNames.service]: owner.service,
    [labelNames.tenant]: owner.tenant,
    ...(owner.generation !== undefined && { [labelNames.generation]: String(owner.generation) }),
    [labelNames.worker]: owner.worker,
    [labelNames.instance]: owner.instance,
  };
}

export type Owner =
  | { of: 'run'; owner: SandboxOwner }
  | { of: 'warm'; owner: WarmOwner }
  | { of: 'look'; owner: LookOwner }
  | { of: 'pin'; owner: PinOwner }
  | { of: 'service'; owner: ServiceOwner };

/** Who a container or network belongs to; `null` when it is not one of ours, whatever single labels it carries. */
export function ownerFrom(name: string, labels: Labels): Owner | null {
  const run = labels[labelNames.run];
  const tenant = labels[labelNames.tenant];
  const attempt = Number(labels[labelNames.attempt]);
  const worker = labels[labelNames.worker];
  const instance = labels[labelNames.instance];
  const warm = labels[labelNames.warm];
  const look = labels[labelNames.look];
  const pin = labels[labelNames.pin];
  const service = labels[labelNames.service];
  const generation = labels[labelNames.generation];
  if (!worker || !instance) return null;
  // Once in use it has its run's name.
  if (warm && (name === warmName(warm) || name.startsWith(namePrefix)))
    return { of: 'warm', owner: { warm, worker, instance } };
  if (look && name === lookName(look)) return { of: 'look', owner: { look, worker, instance } };
  if (pin && name === pinName(pin)) return { of: 'pin', owner: { pin, worker, instance } };
  if (service && tenant && [serviceName(service), filesContainer(service)].includes(name)) {
    const owner: ServiceOwner = { service, tenant, worker, instance };
    if (generation === undefined) return { of: 'service', owner };
    const number = Number(generation);
    return Number.isSafeInteger(number) ? { of: 'service', owner: { ...owner, generation: number } } : null;
  }
  if (!run || !tenant || !Number.isSafeInteger(attempt)) return null;
  if (name !== sandboxName({ run, attempt })) return null;
  return { of: 'run', owner: { run, tenant, attempt, worker, instance } };
}

const namePrefix = 'runlet-';

/** The name of a run's container, and of its network: one attempt can never have two. */
export function sandboxName(owner: Pick<SandboxOwner, 'run' | 'attempt'>): string {
  return `${namePrefix}${owner.run}-${owner.attempt}`;
}

export function warmName(warm: string): string {
  return `${namePrefix}warm-${warm}`;
}

export function lookName(look: string): string {
  return `${namePrefix}look-${look}`;
}

export function pinName(pin: string): string {
  return `${namePrefix}pin-${pin}`;
}

/** The container that brings a service its files, before the service's own. */
export function filesContainer(service: string): string {
  return `${serviceName(service)}-files`;
}

/** The name of a service's container, and of its network. */
export function serviceName(service: string): string {
  return `${namePrefix}${service}`;
}
