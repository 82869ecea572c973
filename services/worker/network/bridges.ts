import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Problem } from '../../../shared/problems.ts';
import type { Engine } from '../engine/engine.ts';
import type { NetworkSpec } from '../engine/networks.ts';
import { inTurn, usualPatienceMs } from './egress-turns.ts';
import type { Firewall } from './firewall.ts';
import { egressPrefix } from './firewall-rules.ts';
import type { SubnetPool } from './subnets.ts';
import { interfacesOf, isUsed } from './used-subnets.ts';

export type BridgeParts = {
  engine: Pick<Engine, 'networks' | 'local'>;
  firewall: Firewall;
  subnets: SubnetPool;
  /** Called with a failure that does not keep a network from being made or removed, and is worth a line in the log. */
  onFault?: (error: Error) => void;
  /** How long one with egress waits for its turn where there are as many as there may be. */
  patienceMs?: number;
};

/** Makes the Problem for whoever wanted the network. */
type Refusal = (reason: string, cause?: unknown) => Problem;

/** Of subnets, until the pool is taken for used up. */
export const maxPicks = 32;

/** Networks for one container each, behind the firewall. */
export function createBridges({
  engine,
  firewall,
  subnets,
  onFault = () => {},
  patienceMs = usualPatienceMs,
}: BridgeParts) {
  /**
   * Connections of a container that is gone stay in this machine's connection table: two minutes, or days where the peer keeps them from
   * ending (a TCP window of zero). The next container in the same subnet would have them counted as its own.
   */
  const forget = (subnet: string) => firewall.forget(subnet).catch(onFault);

  async function make(spec: Omit<NetworkSpec, 'subnet'>, refusal: Refusal, signal?: AbortSignal) {
    let conflict: Problem | undefined;
    for (let pick = 1; pick <= maxPicks; pick++) {
      const subnet = subnets.pick();
      // The engine refuses only what overlaps with its own networks.
      if (isUsed(subnet)) continue;
      try {
        await engine.networks.create({ ...spec, subnet }, signal);
        await forget(subnet);
        // A network that the worker made itself may have come in between: it had to be the first with its route.
        if (interfacesOf(subnet).length <= 1) return;
        await engine.networks.remove(spec.name, signal);
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'conflict') throw error;
        conflict = error;
      }
    }
    throw refusal(noSubnet, conflict);
  }

  return {
    /** Why this worker can make none; `null`: it can. Looks at the machine as it is now, and puts missing rules back. */
    async unavailable(): Promise<string | null> {
      if (!engine.local) return 'the engine is on another machine, whose firewall this worker cannot set';
      return await firewall.ensure().then(
        () => null,
        (error: Error) => error.message,
      );
    },

    isThere: (interfaceName: string) => existsSync(`/sys/class/net/${interfaceName}`),

    /**
     * Takes the place of a network of that name. Rejects with a refusal, or as the engine does; with a Problem `overloaded` where there are
     * as many with egress as there may be, and stay.
     */
    async open(spec: Omit<NetworkSpec, 'subnet'>, refusal: Refusal, signal?: AbortSignal): Promise<void> {
      await this.close(spec.name, signal);
      const network = {
        make: () => make(spec, refusal, signal),
        remove: () => engine.networks.remove(spec.name, signal),
      };
      const isEgress = spec.interfaceName.startsWith(egressPrefix);
      await (isEgress ? inTurn(network, { firewall, patienceMs }, signal) : network.make());
      // A worker in a container has a network namespace of its own, not the engine's: its rules would guard nothing.
      if (this.isThere(spec.interfaceName)) return;
      await engine.networks.remove(spec.name, signal);
      throw refusal(
        'the worker does not share the engine’s network namespace, where the firewall must stand',
      );
    },

    /** To be called after the container is removed. Does nothing when there is none. */
    async close(name: string, signal?: AbortSignal): Promise<void> {
      const found = await engine.networks.inspect(name, signal);
      if (found === null) return;
      await engine.networks.remove(found.id, signal);
      if (found.subnet !== null) await forget(found.subnet);
    },
  };
}

export const noSubnet = 'no free subnet was found in the egress pool';

/** 15 characters: the kernel takes no more (IFNAMSIZ). */
export function interfaceFor(networkName: string, prefix: string): string {
  return `${prefix}${createHash('sha256').update(networkName).digest('hex')}`.slice(0, 15);
}
