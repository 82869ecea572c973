import type { Worker } from '../../../shared/contracts/worker.ts';
import { mayBeIdOf } from '../../../shared/images.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';

export type PlaceParts = Pick<Gateway, 'services' | 'volumes' | 'workers'>;

/**
 * Gives a service to a worker: the one that has its volumes, else the one with the most room. False: there is none at present, and the
 * janitor tries again.
 */
export async function placeService(gateway: PlaceParts, record: ServiceRecord): Promise<boolean> {
  const { tenant, request, id } = record.head;
  const workers = await candidates(gateway, request.image);
  const engine = await engineOfVolumes(gateway, tenant, request.volumes);
  const fitting = workers.filter(
    (worker) => (engine === undefined || worker.engine.id === engine) && fits(worker, record),
  );
  const best = fitting.sort((a, b) => room(b) - room(a))[0];
  if (best === undefined) return false;
  for (const { name } of request.volumes) await gateway.volumes.place(tenant, name, best.engine.id);
  if (!(await gateway.services.assign(record, best.id, best.engine.id))) return true;
  await gateway.workers.send(best.id, { kind: 'service', service: id });
  return true;
}

/** The workers that are ready. For an image that is named by its id: those that have it, if any does, since it cannot be pulled. */
async function candidates(gateway: PlaceParts, image: string): Promise<Worker[]> {
  const all = (await gateway.workers.listWithImages()).filter(({ worker }) => worker.status === 'ready');
  const having = all.filter(({ images }) => images.some((one) => mayBeIdOf(image, one)));
  return (having.length > 0 ? having : all).map(({ worker }) => worker);
}

/** The engine of the first volume that already exists. */
async function engineOfVolumes(gateway: PlaceParts, tenant: string, volumes: { name: string }[]) {
  for (const { name } of volumes) {
    const volume = await gateway.volumes.find(tenant, name);
    if (volume !== undefined) return volume.engine;
  }
  return undefined;
}

const room = ({ capacity, inUse }: Worker) => capacity.memoryBytes - inUse.memoryBytes;

function fits(worker: Worker, { head: { request } }: ServiceRecord): boolean {
  return (
    worker.capacity.memoryBytes >= request.limits.memoryBytes && worker.isolations.includes(request.isolation)
  );
}
