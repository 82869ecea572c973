import { createDockerEngine } from '../../../services/worker/engine/docker/docker-engine.ts';
import type { SandboxOwner } from '../../../services/worker/labels.ts';
import { createFirewall } from '../../../services/worker/network/firewall.ts';
import { createOwnNetworks } from '../../../services/worker/network/own-networks.ts';
import { defaultEgressPool, subnetPool } from '../../../services/worker/network/subnets.ts';

// A worker that opens networks until it is killed: `node open-until-killed.ts <docker host> <state folder> <resolvers> <owners>`.
const [dockerHost = '', stateFolder = '', resolvers = '[]', owners = '[]'] = process.argv.slice(2);
const networks = createOwnNetworks({
  engine: createDockerEngine({ dockerHost }),
  firewall: createFirewall(JSON.parse(resolvers)),
  subnets: subnetPool(defaultEgressPool),
  resolvers: JSON.parse(resolvers),
  stateFolder,
});
await networks.unavailable();
process.stdout.write('begun\n');
for (const owner of JSON.parse(owners) as SandboxOwner[]) await networks.open(owner);
process.stdout.write('all\n');
setInterval(() => {}, 1_000);
