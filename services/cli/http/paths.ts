/** The path of one thing in the API: its id or name, then the action on it (such as `/cancel`). */
const pathIn =
  (collection: string) =>
  (id: string, rest = ''): string =>
    `/v1/${collection}/${encodeURIComponent(id)}${rest}`;

export const deliveryPath = pathIn('deliveries');
export const endpointPath = pathIn('webhooks');
export const imagePath = pathIn('images');
export const keyPath = pathIn('keys');
export const registryPath = pathIn('registries');
export const runPath = pathIn('runs');
export const servicePath = pathIn('services');
export const volumePath = pathIn('volumes');
export const workerPath = pathIn('workers');
