import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import { FileCollection } from '../files/collect.ts';
import { entrypointOf, given, unlessEmpty } from '../http/given.ts';
import { parseSize } from '../parse/size.ts';
import { readVariables } from '../parse/variables.ts';
import type { RunWebhook } from '../run/webhook.ts';

export type UpOptions = {
  name?: string;
  port?: number;
  tcp?: number[];
  health?: string;
  keep?: number | 'forever';
  onIdle?: string;
  restart?: string;
  volume?: string[];
  file?: string[];
  env?: string[];
  envFile?: string[];
  workdir?: string;
  entrypoint?: string;
  memory?: number;
  cpus?: number;
  disk?: number;
  pids?: number;
  isolation?: string;
  pull?: string;
  network?: string;
  init?: boolean;
  public?: boolean;
  metadata?: [string, string][];
  webhook?: string;
  webhookSecret?: string;
  wait: number;
  detach?: boolean;
};

/** The body of `POST /v1/services`. Values that were not given are left to the server. */
export function serviceRequest(
  context: Context,
  image: string,
  command: string[],
  options: UpOptions,
  webhook: RunWebhook | undefined,
) {
  const collection = new FileCollection(context.note);
  for (const file of options.file ?? []) collection.addOption(file);
  const limits = given({
    memoryBytes: options.memory,
    cpus: options.cpus,
    diskBytes: options.disk,
    pids: options.pids,
  });
  return given({
    image,
    command: unlessEmpty(command),
    entrypoint: entrypointOf(options.entrypoint),
    name: options.name,
    port: options.port,
    tcpPorts: options.tcp,
    health: options.health === undefined ? undefined : { path: options.health },
    keepAlive: options.keep,
    onIdle: options.onIdle,
    restart: options.restart,
    volumes: options.volume?.map(volumeOf),
    files: unlessEmpty(collection.files),
    workdir: options.workdir,
    network: options.network,
    isolation: options.isolation,
    pull: options.pull,
    webhook,
    init: options.init === false ? false : undefined,
    public: options.public === true ? true : undefined,
    metadata: options.metadata ? Object.fromEntries(options.metadata) : undefined,
    limits: unlessEmpty(limits),
    env: readVariables('service', options, context.note),
  });
}

function volumeOf(text: string): { name: string; path: string; sizeBytes?: number } {
  const [, name, path, size] = /^([^:]+):(.*?)(?::(\d[^/:]*))?$/.exec(text) ?? [];
  if (name === undefined || path === undefined)
    throw new UsageError(`--volume ${text}: say NAME:PATH or NAME:PATH:SIZE, as in data:/var/lib/mysql:20g.`);
  try {
    return { name, path, ...(size !== undefined && { sizeBytes: parseSize(size) }) };
  } catch (error) {
    throw new UsageError(`--volume ${text}: ${(error as Error).message}`);
  }
}
