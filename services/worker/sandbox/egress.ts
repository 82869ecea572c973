import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Problem } from '../../../shared/problems.ts';
import type { Engine } from '../engine/engine.ts';
import type { SandboxNetwork } from './container-spec.ts';
import type { Firewall } from './firewall.ts';
import { interfacePrefix } from './firewall-rules.ts';
import { labelsFor, type SandboxOwner, sandboxName } from './labels.ts';
import type { SubnetPool } from './subnets.ts';

/** Networks for runs that may reach the public internet: one each, and none of it without the firewall. */
export type Egress = {
  /** Why egress cannot be given on this worker; `null` when it can. Looks at the machine as it is now. */
  unavailable(): Promise<string | null>;
  /** Makes the run's network. Throws a Problem `egress_unavailable`. */
  open(owner: SandboxOwner, signal?: AbortSignal): Promise<SandboxNetwork>;
  /** Removes it; after the container. Quiet when there is none. */
  close(owner: Pick<SandboxOwner, 'run' | 'attempt'>, signal?: AbortSignal): Promise<void>;
};

export type EgressParts = {
  engine: Engine;
  firewall: Firewall;
  subnets: SubnetPool;
  /** The resolvers that the firewall lets through. */
  resolvers: string[];
};

const maxPicks = 32;

export function createEgress({ engine, firewall, subnets, resolvers }: EgressParts): Egress {
  async function unavailable(): Promise<string | null> {
    if (!engine.local) return 'the engine is on another machine, whose firewall this worker cannot set';
    if (resolvers.length === 0) return 'no resolvers are configured (RUNLET_EGRESS_DNS)';
    return await firewall.ensure().then(
      () => null,
      (error: Error) => error.message,
    );
  }

  async function open(owner: SandboxOwner, signal?: AbortSignal): Promise<SandboxNetwork> {
    const reason = await unavailable();
    if (reason !== null) throw refusal(reason);
    const name = sandboxName(owner);
    const interfaceName = interfaceFor(name);
    await createWithFreeSubnet(owner, interfaceName, signal);
    // A worker in a container of its own sees another network than its engine's: its rules would guard nothing.
    if (!existsSync(`/sys/class/net/${interfaceName}`)) {
      await engine.removeNetwork(name, signal);
      throw refusal(
        'the worker does not share the engine’s network namespace, where the firewall must stand',
      );
    }
    return { name, dns: resolvers };
  }

  async function createWithFreeSubnet(
    owner: SandboxOwner,
    interfaceName: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const name = sandboxName(owner);
    // What an earlier try of this attempt may have left.
    await engine.removeNetwork(name, signal);
    for (let pick = 1; ; pick++) {
      const spec = { name, labels: labelsFor(owner), interfaceName, subnet: subnets.pick() };
      try {
        await engine.createNetwork(spec, signal);
        return;
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'conflict') throw error;
        if (pick >= maxPicks) throw refusal('no free subnet was found in the egress pool', error);
      }
    }
  }

  return {
    unavailable,
    open,
    close: (owner, signal) => engine.removeNetwork(sandboxName(owner), signal),
  };
}

/** 15 characters: the kernel's most. */
export function interfaceFor(networkName: string): string {
  return `${interfacePrefix}${createHash('sha256').update(networkName).digest('hex').slice(0, 12)}`;
}

function refusal(reason: string, cause?: unknown): Problem {
  return new Problem(
    'egress_unavailable',
    `Network "egress" is not possible on this worker: ${reason}. Use "none", or ask the operator.`,
    { cause },
  );
}
