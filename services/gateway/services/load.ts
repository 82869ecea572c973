import { isId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';
import { isStoreError } from '../http/store-errors.ts';

export type ServiceLoadParts = Pick<Gateway, 'log' | 'services'>;

const noSuchService = (idOrName: string) =>
  new Problem('not_found', `There is no service ${idOrName.slice(0, 64)}: see GET /v1/services.`);

/** A tenant's service, by its id or its name. Somebody else's is not found, as one that never was. */
export async function ownService(
  gateway: ServiceLoadParts,
  tenant: string,
  idOrName: string,
): Promise<ServiceRecord> {
  const id = isId('svc', idOrName) ? idOrName : await gateway.services.byName(tenant, idOrName);
  const record = id === undefined ? undefined : await gateway.services.read(id);
  if (record === undefined || record.head.tenant !== tenant) throw noSuchService(idOrName);
  return record;
}

/** The services that exist. One whose record cannot be read is left out, so that the others can be listed and looked after. */
export async function readAll(gateway: ServiceLoadParts, ids: string[]): Promise<ServiceRecord[]> {
  const records = await Promise.all(
    ids.map((id) =>
      gateway.services.read(id).catch((error) => {
        if (isStoreError(error)) throw error;
        gateway.log.error({ service: id, err: error }, 'the record of a service cannot be read');
        return undefined;
      }),
    ),
  );
  return records.filter((record) => record !== undefined);
}
