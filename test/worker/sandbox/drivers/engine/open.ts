import { fileURLToPath } from 'node:url';
import { createDockerEngine } from '../../../../../services/worker/engine/docker/docker-engine.ts';
import { labelNames } from '../../../../../services/worker/labels.ts';
import type { Egress } from '../../../../../services/worker/network/egress.ts';
import { createEngineDriver } from '../../../../../services/worker/sandbox/drivers/engine/engine-driver.ts';
import { initVolume } from '../../../../../services/worker/sandbox/drivers/engine/init-volume.ts';
import { createLog } from '../../../../../shared/log.ts';
import type { DriverBench } from '../../driver.suite.ts';

const program = fileURLToPath(new URL('../../../../../infra/sandbox-init/build/init', import.meta.url));

/** Most tests want no network. */
const noEgress: Pick<Egress, 'open' | 'close'> = {
  open: () => Promise.reject(new Error('no test asks for it')),
  close: async () => {},
};

export async function open(dockerHost: string, egress = noEgress): Promise<DriverBench> {
  const engine = createDockerEngine({ dockerHost });
  const info = await engine.info();
  const driver = createEngineDriver({
    engine,
    info: () => info,
    initVolume: await initVolume(engine, info.architecture, program),
    egress,
    log: createLog('test', 'silent'),
  });
  return {
    driver,
    async image(reference = 'busybox') {
      const found = await engine.images.inspect(reference);
      if (found === null) throw new Error(`${reference} is not on the engine`);
      return found;
    },
    async traces(instance) {
      const ours = { [labelNames.instance]: instance };
      const all = [...(await engine.containers.list(ours)), ...(await engine.networks.list(ours))];
      return all.map(({ name }) => name);
    },
    close: () => engine.close(),
  };
}
