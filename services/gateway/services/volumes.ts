import { volumeName } from '../../../shared/contracts/service.ts';
import { Problem } from '../../../shared/problems.ts';
import { engineVolumeName, type StoredVolume } from '../../../shared/stores/volumes.ts';
import type { Gateway } from '../gateway.ts';
import { noContent, ok } from '../http/answers.ts';
import { type App, mount } from '../http/mount.ts';
import { pageQuery, paginate } from '../http/query.ts';
import { askWorker, type WorkerOperationParts } from '../worker-operation.ts';
import * as documents from './documents.ts';
import { readAll, type ServiceLoadParts } from './load.ts';

export type VolumeParts = Pick<Gateway, 'env' | 'instance' | 'services' | 'volumes' | 'workers'> &
  ServiceLoadParts &
  WorkerOperationParts;

const operationMs = 30_000;

export function mountVolumes(app: App, gateway: VolumeParts): void {
  const options = { maxBodyBytes: 0 };

  mount(
    app,
    options,
    { method: 'get', path: '/v1/volumes', query: pageQuery, document: documents.volumesDocument },
    async (c, { query }) => {
      const { tenant } = c.var.identity;
      const [all, users] = [await gateway.volumes.list(tenant), await usersOf(gateway, tenant)];
      const names = new Map((await gateway.workers.list()).map((worker) => [worker.engine.id, worker.name]));
      const data = all.map(({ name, engine, createdAt }) => ({
        name,
        node: names.get(engine) ?? engine,
        engine,
        services: users.get(name) ?? [],
        createdAt,
      }));
      return ok(paginate(data, ({ name }) => name, query));
    },
  );

  mount(
    app,
    options,
    { method: 'delete', path: '/v1/volumes/{name}', document: documents.deleteVolumeDocument },
    async (c) => {
      const { tenant } = c.var.identity;
      const name = c.req.param('name') ?? '';
      const volume = volumeName.safeParse(name).success
        ? await gateway.volumes.find(tenant, name)
        : undefined;
      if (volume === undefined)
        throw new Problem('not_found', 'There is no such volume: see GET /v1/volumes.');
      const users = (await usersOf(gateway, tenant)).get(name) ?? [];
      if (users.length > 0)
        throw new Problem(
          'conflict',
          `The volume is used by ${users.join(', ')}: remove these services first.`,
        );
      await removeVolume(gateway, tenant, volume);
      return noContent();
    },
  );
}

/** Those of these volumes that no service uses any more. */
export async function removeVolumes(
  gateway: VolumeParts,
  tenant: string,
  volumes: { name: string }[],
): Promise<void> {
  const users = await usersOf(gateway, tenant);
  for (const { name } of volumes) {
    const volume = await gateway.volumes.find(tenant, name);
    if (volume !== undefined && !users.has(name)) await removeVolume(gateway, tenant, volume);
  }
}

async function removeVolume(
  gateway: VolumeParts,
  tenant: string,
  { name, engine }: StoredVolume,
): Promise<void> {
  const worker = (await gateway.workers.list()).find((one) => one.engine.id === engine);
  if (worker === undefined)
    throw new Problem('conflict', 'The node that has the volume is gone: it can be deleted when it is back.');
  const volume = engineVolumeName(gateway.instance, tenant, name);
  await askWorker(
    gateway,
    worker.id,
    (operation) => ({ kind: 'remove-volume', operation, volume }),
    operationMs,
  );
  await gateway.volumes.forget(tenant, name);
}

/** Names of the services that use each volume. */
async function usersOf(gateway: VolumeParts, tenant: string): Promise<Map<string, string[]>> {
  const users = new Map<string, string[]>();
  const ids = await gateway.services.ids(tenant, undefined, gateway.env.RUNLET_TENANT_MAX_SERVICES);
  for (const { head } of await readAll(gateway, ids))
    for (const { name } of head.request.volumes) users.set(name, [...(users.get(name) ?? []), head.name]);
  return users;
}
