import { readFileSync } from 'node:fs';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import { FileCollection } from '../files/collect.ts';
import { collectEnvironment, parseEnvFile } from '../parse/env.ts';
import { parseSize } from '../parse/size.ts';

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
  network?: string;
  init?: boolean;
  public?: boolean;
  metadata?: [string, string][];
  wait: number;
  detach?: boolean;
};

/** The body of `POST /v1/services`; what was not said is left to the server. */
export function serviceRequest(context: Context, image: string, command: string[], options: UpOptions) {
  const collection = new FileCollection(context.note);
  for (const file of options.file ?? []) collection.addOption(file);
  const limits = {
    ...(options.memory !== undefined && { memoryBytes: options.memory }),
    ...(options.cpus !== undefined && { cpus: options.cpus }),
    ...(options.disk !== undefined && { diskBytes: options.disk }),
  };
  return {
    image,
    ...(command.length > 0 && { command }),
    ...(options.entrypoint !== undefined && {
      entrypoint: options.entrypoint === '' ? [] : [options.entrypoint],
    }),
    ...(options.name !== undefined && { name: options.name }),
    ...(options.port !== undefined && { port: options.port }),
    ...(options.tcp !== undefined && { tcpPorts: options.tcp }),
    ...(options.health !== undefined && { health: { path: options.health } }),
    ...(options.keep !== undefined && { keepAlive: options.keep }),
    ...(options.onIdle !== undefined && { onIdle: options.onIdle }),
    ...(options.restart !== undefined && { restart: options.restart }),
    ...(options.volume !== undefined && { volumes: options.volume.map(volumeOf) }),
    ...(collection.files.length > 0 && { files: collection.files }),
    ...(options.workdir !== undefined && { workdir: options.workdir }),
    ...(options.network !== undefined && { network: options.network }),
    ...(options.init === false && { init: false }),
    ...(options.public === true && { public: true }),
    ...(options.metadata !== undefined && { metadata: Object.fromEntries(options.metadata) }),
    ...(Object.keys(limits).length > 0 && { limits }),
    env: variables(context, options),
  };
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

function variables(context: Context, options: UpOptions): Record<string, string> {
  const fromFiles = (options.envFile ?? []).flatMap((path) => {
    try {
      return parseEnvFile(readFileSync(path, 'utf8'));
    } catch (error) {
      throw new UsageError(`--env-file ${path}: ${(error as Error).message}`);
    }
  });
  const { env, missing } = collectEnvironment([...fromFiles, ...(options.env ?? [])], process.env);
  for (const name of missing) context.note(`-e ${name}: it is not set here, so the service does not get it.`);
  return env;
}
