import { defaultVolumeBytes } from '../../../shared/contracts/service.ts';
import { familiarName } from '../../../shared/images.ts';
import { Problem } from '../../../shared/problems.ts';
import type { ServicePullStore } from '../../../shared/stores/service-pulls.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { ServiceStore } from '../../../shared/stores/services.ts';
import { engineVolumeName } from '../../../shared/stores/volumes.ts';
import type { ContainerId } from '../engine/containers.ts';
import type { Engine } from '../engine/engine.ts';
import type { ImageInfo } from '../engine/images.ts';
import type { ImageProvider } from '../images/image-provider.ts';
import { createPullReporter } from '../images/pull-reporter.ts';
import { serviceLabelsFor, serviceName } from '../labels.ts';
import type { ServiceNetworks } from '../network/service-networks.ts';
import type { InitVolume } from '../sandbox/drivers/engine/init-volume.ts';
import { checkVolumeFits } from './disk.ts';
import { bringFiles } from './files.ts';
import { bindingsFor, type Publishing } from './publishing.ts';
import { serviceSpecFor } from './spec.ts';
import { removeStale } from './stale.ts';

export type ContainerParts = {
  engine: Pick<Engine, 'containers' | 'volumes' | 'ping'>;
  images: ImageProvider;
  networks: ServiceNetworks;
  store: Pick<ServiceStore, 'request'>;
  pulls: ServicePullStore;
  initVolume: InitVolume;
  seccompProfile: string;
  workerId: string;
  instance: string;
  publish: Publishing;
};

/** Makes a service's container, not started, with all that it needs: image, network, volumes, files. */
export async function makeContainer(
  parts: ContainerParts,
  record: ServiceRecord,
): Promise<{ id: ContainerId; digest: string | null }> {
  const { engine, initVolume, instance, seccompProfile } = parts;
  const { head, generation } = record;
  const { id, tenant } = head;
  const request = await parts.store.request(head);
  if (request === undefined) throw new Problem('container_lost', 'The service was removed meanwhile.');
  const image = await bringImage(parts, record);
  const owner = { service: id, tenant, worker: parts.workerId, instance };
  const network = await parts.networks.open(owner, request.network);
  const volumeNames = new Map<string, string>();
  for (const [index, { name, sizeBytes }] of request.volumes.entries()) {
    const onEngine = engineVolumeName(instance, tenant, name);
    const volumeLabels = { 'dev.runlet.tenant': tenant, 'dev.runlet.volume': name };
    const quota = await engine.volumes.create(onEngine, volumeLabels, sizeBytes ?? defaultVolumeBytes);
    checkVolumeFits(index, name, sizeBytes, quota);
    volumeNames.set(name, onEngine);
  }
  const labels = serviceLabelsFor({ ...owner, generation });
  const withFiles = await bringFiles({ engine, initVolume, record, request, image, labels, seccompProfile });
  const spec = serviceSpecFor({
    head,
    request: { ...request, volumes: [...withFiles, ...request.volumes] },
    image,
    identity: { name: serviceName(id), labels },
    publish: bindingsFor(request, parts.publish),
    network,
    volumeNames,
    init: initVolume.init,
    seccompProfile,
  });
  await removeStale(engine.containers, spec.name, labels);
  return { id: await engine.containers.create(spec), digest: image.digest };
}

async function bringImage(
  { images, pulls }: Pick<ContainerParts, 'images' | 'pulls'>,
  { head }: ServiceRecord,
): Promise<ImageInfo> {
  const { id, request, tenant } = head;
  const reference = familiarName(request.image);
  const reporter = createPullReporter(reference, (pull) => pulls.tell(id, pull));
  let pulling = false;
  try {
    const { image } = await images.provide(reference, request.pull, tenant, {
      beforePull: async () => {
        pulling = true;
      },
      onProgress: reporter.report,
      // Nothing breaks it off.
      signal: new AbortController().signal,
    });
    return image;
  } finally {
    if (pulling) {
      await reporter.end(false);
      // It is forgotten by itself, too.
      await pulls.over(id).catch(() => {});
    }
  }
}
