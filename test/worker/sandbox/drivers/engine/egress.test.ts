import { createDockerEngine } from '../../../../../services/worker/engine/docker/docker-engine.ts';
import { createEgress } from '../../../../../services/worker/network/egress.ts';
import { egressSuite } from '../../egress.suite.ts';
import { open } from './open.ts';

egressSuite(async (dockerHost, parts) => {
  const engine = createDockerEngine({ dockerHost });
  const bench = await open(dockerHost, createEgress({ engine, ...parts }));
  const close = () => {
    bench.close();
    engine.close();
  };
  return { ...bench, close };
});
