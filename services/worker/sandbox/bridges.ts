import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Problem } from '../../../shared/problems.ts';
import type { Engine, NetworkSpec } from '../engine/engine.ts';
import type { Firewall } from './firewall.ts';
import type { SubnetPool } from './subnets.ts';

export type BridgeParts = { engine: Engine; firewall: Firewall; subnets: SubnetPool };

/** How a reason becomes a sentence to whoever wanted the network. */
type Refusal = (reason: string, cause?: unknown) => Problem;

const maxPicks = 32;

/** Networks of one container each, behind the firewall. */
export function createBridges({ engine, firewall, subnets }: BridgeParts) {
  async function make(spec: Omit<NetworkSpec, 'subnet'>, refusal: Refusal, signal?: AbortSignal) {
    for (let pick = 1; ; pick++) {
      try {
        return await engine.createNetwork({ ...spec, subnet: subnets.pick() }, signal);
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'conflict') throw error;
        if (pick >= maxPicks) throw refusal('no free subnet was found in the egress pool', error);
      }
    }
  }

  return {
    /** Why none can be had on this worker; `null` when it can. Looks at the machine as it is now, and puts rules back. */
    async unavailable(): Promise<string | null> {
      if (!engine.local) return 'the engine is on another machine, whose firewall this worker cannot set';
      return await firewall.ensure().then(
        () => null,
        (error: Error) => error.message,
      );
    },

    isThere: (interfaceName: string) => existsSync(`/sys/class/net/${interfaceName}`),

    /** Takes the place of a network of that name. Rejects with a refusal, or as the engine does. */
    async open(spec: Omit<NetworkSpec, 'subnet'>, refusal: Refusal, signal?: AbortSignal): Promise<void> {
      await engine.removeNetwork(spec.name, signal);
      await make(spec, refusal, signal);
      // A worker in a container of its own sees another network than its engine's: its rules would guard nothing.
      if (this.isThere(spec.interfaceName)) return;
      await engine.removeNetwork(spec.name, signal);
      throw refusal(
        'the worker does not share the engine’s network namespace, where the firewall must stand',
      );
    },
  };
}

/** 15 characters: the kernel's most. */
export function interfaceFor(networkName: string, prefix: string): string {
  return `${prefix}${createHash('sha256').update(networkName).digest('hex').slice(0, 12)}`;
}
