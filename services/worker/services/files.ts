import type { ServiceRequest } from '../../../shared/contracts/service.ts';
import { planFile } from '../../../shared/run-plan.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Engine } from '../engine/engine.ts';
import type { ImageInfo } from '../engine/images.ts';
import type { Labels } from '../engine/label-set.ts';
import { filesContainer } from '../labels.ts';
import { createContainerSandbox } from '../sandbox/drivers/engine/container-sandbox.ts';
import type { InitVolume } from '../sandbox/drivers/engine/init-volume.ts';
import { checkWorkdir, workdirFor } from '../sandbox/program/folders.ts';
import { startFailure } from '../sandbox/program/start-failure.ts';
import { removeStale } from './stale.ts';

const MiB = 1024 * 1024;

/** The volume that brings a service its files. */
export const filesVolume = (id: string) => `runlet-files-${id}`;

/**
 * Writes the request's files into a volume on the work folder, which begins with what the image has there. The init writes them, in a
 * container of its own: the engine's archive upload has run code as root of the host (CVE-2026-41567). They belong to the image's user,
 * and so does the work folder where the image has none. Answers the volumes to mount.
 */
export async function bringFiles(options: {
  engine: Pick<Engine, 'containers' | 'volumes'>;
  initVolume: InitVolume;
  record: ServiceRecord;
  request: ServiceRequest;
  image: ImageInfo;
  labels: Labels;
  seccompProfile: string;
}): Promise<ServiceRequest['volumes']> {
  const { engine, request, image, record } = options;
  if (request.files.length === 0) return [];
  const { id, tenant } = record.head;
  const path = checkWorkdir(workdirFor(request.workdir, image.workdir));
  const volume = filesVolume(id);
  const labelled = { 'dev.runlet.tenant': tenant, 'dev.runlet.volume': volume };
  await engine.volumes.create(volume, labelled, request.limits.diskBytes);
  const { init } = options.initVolume;
  const name = filesContainer(id);
  await removeStale(engine.containers, name, options.labels);
  const sandbox = await createContainerSandbox(engine, {
    name,
    labels: options.labels,
    image: image.id,
    entrypoint: [init.path],
    // Written as root, owned by the user: the folder may not be the user's.
    command: ['files', image.user === '' ? '0' : image.user],
    env: {},
    workdir: '/',
    user: '0:0',
    hostname: 'runlet',
    stdin: true,
    network: 'none',
    dns: [],
    readOnlyRoot: true,
    rootBytes: null,
    tmpfs: [],
    volumes: [init.volume, { name: volume, path, readOnly: false, copy: true }],
    files: [],
    memoryBytes: 64 * MiB,
    pids: 16,
    cpus: 1,
    shmBytes: MiB,
    rlimits: [],
    capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'],
    seccompProfile: options.seccompProfile,
    runtime: null,
    oomScoreAdj: 500,
  });
  try {
    await sandbox.start();
    await sandbox.session.ready;
    await sandbox.session.prepare(path, request.files.map(planFile));
    // A file that could not be written fails the next request.
    await sandbox.session.list(0);
  } catch (error) {
    throw startFailure(error) ?? error;
  } finally {
    await sandbox.remove();
  }
  return [{ name: volume, path }];
}
