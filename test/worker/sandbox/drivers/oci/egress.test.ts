import { createDockerEngine } from '../../../../../services/worker/engine/docker/docker-engine.ts';
import { createOwnNetworks } from '../../../../../services/worker/network/own-networks.ts';
import { egressSuite } from '../../egress.suite.ts';
import { openWith } from './open.ts';

egressSuite(async (dockerHost, parts) => {
  const engine = createDockerEngine({ dockerHost });
  const networksIn = (stateFolder: string) => createOwnNetworks({ engine, stateFolder, ...parts });
  const bench = await openWith({ networksIn })(dockerHost);
  const close = () => {
    bench.close();
    engine.close();
  };
  return { ...bench, close };
});
