import { createHash } from 'node:crypto';
import { normalArchitecture } from '../architecture.ts';
import type { EngineInfo, EngineRegistries } from '../engine.ts';
import type { DockerClient } from './client.ts';
import { unexpected } from './errors.ts';

type InfoAnswer = {
  ID: string;
  DockerRootDir?: string;
  Driver: string;
  CgroupVersion?: string;
  OSType: string;
  Architecture: string;
  KernelVersion: string;
  NCPU: number;
  MemTotal: number;
  Runtimes?: Record<string, { path?: string; runtimeArgs?: string[] | null }>;
  /** As in `name=seccomp,profile=default`. */
  SecurityOptions?: string[] | null;
  RegistryConfig?: {
    Mirrors?: string[] | null;
    IndexConfigs?: Record<string, { Mirrors?: string[] | null; Secure?: boolean }> | null;
    InsecureRegistryCIDRs?: string[] | null;
  };
  HttpProxy?: string;
  HttpsProxy?: string;
  NoProxy?: string;
};

type VersionAnswer = {
  Version: string;
  ApiVersion: string;
  Platform?: { Name?: string };
  Components?: { Name: string; Version: string }[];
};

export async function readInfo(client: DockerClient, signal?: AbortSignal): Promise<EngineInfo> {
  const get = <T>(path: string) => client.call<T>({ method: 'GET', path, signal });
  try {
    const [info, version] = await Promise.all([get<InfoAnswer>('/info'), get<VersionAnswer>('/version')]);
    return {
      id: identity(info),
      name: productName(version.Components?.[0]?.Name),
      version: version.Version,
      apiVersion: version.ApiVersion,
      runcVersion: version.Components?.find(({ Name }) => Name === 'runc')?.Version ?? null,
      storageDriver: info.Driver,
      dataRoot: info.DockerRootDir ?? '',
      cgroupVersion: info.CgroupVersion ?? '1',
      os: info.OSType,
      architecture: normalArchitecture(info.Architecture),
      kernel: info.KernelVersion,
      cpus: info.NCPU,
      memoryBytes: info.MemTotal,
      runtimes: Object.fromEntries(
        Object.entries(info.Runtimes ?? {}).map(([name, { path, runtimeArgs }]) => [
          name,
          { path: path || null, args: runtimeArgs ?? [] },
        ]),
      ),
      userNamespace: (info.SecurityOptions ?? []).some((option) =>
        /^name=(?:userns|rootless)\b/.test(option),
      ),
      confinement: (info.SecurityOptions ?? []).flatMap(
        (option) => /^name=(apparmor|selinux)\b/.exec(option)?.[1] ?? [],
      ),
      registries: registriesOf(info),
    };
  } catch (error) {
    throw unexpected(error, 'describe itself');
  }
}

function registriesOf({
  RegistryConfig,
  HttpProxy = '',
  HttpsProxy = '',
  NoProxy = '',
}: InfoAnswer): EngineRegistries {
  const { Mirrors, IndexConfigs, InsecureRegistryCIDRs } = RegistryConfig ?? {};
  const indexes = Object.entries(IndexConfigs ?? {});
  return {
    mirrors: [...new Set([...(Mirrors ?? []), ...indexes.flatMap(([, index]) => index.Mirrors ?? [])])],
    named: indexes.map(([name]) => name),
    insecure: [
      ...indexes.filter(([, { Secure }]) => Secure === false).map(([name]) => name),
      ...(InsecureRegistryCIDRs ?? []),
    ],
    proxy: { http: HttpProxy, https: HttpsProxy, without: NoProxy },
  };
}

/**
 * The id that an engine gives is that of its key. Before Docker 23 the key is one file of the machine, /etc/docker/key.json, so two engines
 * on it give the same id. Their data folders differ.
 */
function identity({ ID, DockerRootDir = '' }: InfoAnswer): string {
  return `${ID}-${createHash('sha256').update(DockerRootDir).digest('hex').slice(0, 8)}`;
}

/** Docker calls its own component just `Engine`; others that speak its API name themselves (`Podman Engine`). */
function productName(component: string | undefined): string {
  return component === undefined || component === 'Engine' ? 'Docker Engine' : component;
}

export async function ping(client: DockerClient, signal?: AbortSignal): Promise<void> {
  await client.call({ method: 'GET', path: '/_ping', signal, deadlineMs: 5_000 }).catch((error) => {
    throw unexpected(error, 'answer a ping');
  });
}
