import { Problem } from '../../../shared/problems.ts';
import { labelsFor, type SandboxOwner, sandboxName } from '../labels.ts';
import { type BridgeParts, createBridges, interfaceFor } from './bridges.ts';
import { egressPrefix } from './firewall-rules.ts';
import type { SandboxNetwork } from './network.ts';

/** Networks for runs that may reach the public internet: one for each run, and none without the firewall. */
export type Egress = {
  /** Why this worker cannot give egress; `null`: it can. Looks at the machine as it is now. */
  unavailable(): Promise<string | null>;
  /** Makes the run's network. Throws a Problem `egress_unavailable`. */
  open(owner: SandboxOwner, signal?: AbortSignal): Promise<SandboxNetwork>;
  /** Removes it; to be called after the container is removed. Does nothing when there is none. */
  close(owner: Pick<SandboxOwner, 'run' | 'attempt'>, signal?: AbortSignal): Promise<void>;
};

export type EgressParts = BridgeParts & {
  /** The resolvers that the firewall lets through. */
  resolvers: string[];
};

export function createEgress({ resolvers, ...parts }: EgressParts): Egress {
  const bridges = createBridges(parts);

  async function unavailable(): Promise<string | null> {
    return resolvers.length === 0 ? noResolvers : await bridges.unavailable();
  }

  return {
    unavailable,

    async open(owner, signal) {
      const reason = await unavailable();
      if (reason !== null) throw refusal(reason);
      const name = sandboxName(owner);
      const interfaceName = interfaceFor(name, egressPrefix);
      await bridges.open({ name, labels: labelsFor(owner), interfaceName }, refusal, signal);
      return { name, dns: resolvers };
    },

    close: (owner, signal) => bridges.close(sandboxName(owner), signal),
  };
}

export const noResolvers = 'no resolvers are configured (RUNLET_EGRESS_DNS)';

export function refusal(reason: string, cause?: unknown): Problem {
  return new Problem(
    'egress_unavailable',
    `Network "egress" is not possible on this worker: ${reason}. Use "none", or ask the operator.`,
    { cause },
  );
}
