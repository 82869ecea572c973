import { isDeepStrictEqual } from 'node:util';
import { Problem } from '../../../shared/problems.ts';
import { labelNames, type ServiceOwner, serviceLabelsFor, serviceName } from '../labels.ts';
import { createBridges, interfaceFor } from './bridges.ts';
import { type EgressParts, noResolvers } from './egress.ts';
import { closedPrefix, egressPrefix } from './firewall-rules.ts';
import type { SandboxNetwork } from './network.ts';

/**
 * Networks for services, one for each. This machine opens connections to the container directly, others through the ports that are
 * published. The container itself reaches the public internet (`egress`) or nothing (`none`).
 */
export type ServiceNetworks = {
  /**
   * Why this worker can make none; `null`: it can. Puts back what another tool took from the firewall: to be called now and then as long
   * as services run.
   */
  unavailable(): Promise<string | null>;
  /** The service's network: the one that is there if it is right, else a new one. Throws a Problem `egress_unavailable`. */
  open(
    owner: Omit<ServiceOwner, 'generation'>,
    kind: 'none' | 'egress',
    signal?: AbortSignal,
  ): Promise<SandboxNetwork>;
  /** Removes it; to be called after the container is removed. Does nothing when there is none. */
  close(service: string): Promise<void>;
};

/**
 * Docker resolves names in every network itself, and asks the machine's own resolvers where it is given none: data could leave in DNS
 * queries. This resolver is the container's own loopback, where nothing answers.
 */
const deadResolver = ['127.0.0.1'];

export function createServiceNetworks({ resolvers, ...parts }: EgressParts): ServiceNetworks {
  const { engine } = parts;
  const bridges = createBridges(parts);
  const { unavailable } = bridges;

  return {
    unavailable,

    async open(owner, kind, signal) {
      const egress = kind === 'egress';
      const reason = egress && resolvers.length === 0 ? noResolvers : await unavailable();
      if (reason !== null) throw refusal(reason);
      const name = serviceName(owner.service);
      const labels = serviceLabelsFor(owner);
      const interfaceName = interfaceFor(name, egress ? egressPrefix : closedPrefix);
      const found = await engine.networks.list({ [labelNames.service]: owner.service }, signal);
      const [right, ...others] = found.filter(
        (one) => one.name === name && isDeepStrictEqual(one.labels, labels),
      );
      // The interface tells the kind.
      if (right === undefined || others.length > 0 || !bridges.isThere(interfaceName))
        await bridges.open({ name, labels, interfaceName, masquerade: egress }, refusal, signal);
      return { name, dns: egress ? resolvers : deadResolver };
    },

    close: (service) => bridges.close(serviceName(service)),
  };
}

function refusal(reason: string, cause?: unknown): Problem {
  return new Problem(
    'egress_unavailable',
    `This worker cannot give services the networks they need: ${reason}. Ask the operator.`,
    { cause },
  );
}
