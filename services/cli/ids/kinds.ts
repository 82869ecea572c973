/** What is named by an id, and where it is listed. */
export type Kind = {
  noun: string;
  prefix: string;
  path: string;
  /** The command that lists them. */
  listedBy: string;
  /** Their lists are long, and begin with the newest: to look for an id, only a part of it is read. */
  newestFirst?: boolean;
};

export const runs: Kind = {
  noun: 'run',
  prefix: 'run_',
  path: '/v1/runs',
  listedBy: 'runlet ps -a',
  newestFirst: true,
};

export const services: Kind = {
  noun: 'service',
  prefix: 'svc_',
  path: '/v1/services',
  listedBy: 'runlet services',
  newestFirst: true,
};

export const endpoints: Kind = {
  noun: 'endpoint',
  prefix: 'whk_',
  path: '/v1/webhooks',
  listedBy: 'runlet webhooks ls',
};

export const deliveries: Kind = {
  noun: 'delivery',
  prefix: 'del_',
  path: '/v1/deliveries',
  listedBy: 'runlet webhooks deliveries',
  newestFirst: true,
};

export const keys: Kind = { noun: 'key', prefix: 'key_', path: '/v1/keys', listedBy: 'runlet keys ls' };

export const workers: Kind = {
  noun: 'worker',
  prefix: 'wrk_',
  path: '/v1/workers',
  listedBy: 'runlet workers',
};
