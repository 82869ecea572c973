import { Problem } from '../../../shared/problems.ts';
import type { Engine } from '../engine/engine.ts';
import { type SandboxOwner, sandboxName } from '../labels.ts';
import { interfaceFor, maxPicks, noSubnet } from './bridges.ts';
import { noResolvers, refusal } from './egress.ts';
import { inTurn, usualPatienceMs } from './egress-turns.ts';
import type { Firewall } from './firewall.ts';
import { ownPrefix } from './firewall-rules.ts';
import { createMasquerade } from './masquerade.ts';
import { addressesIn, make, type OwnNamespace, pathOf, remove } from './own-namespace.ts';
import { createOwnNetworkRecords } from './own-network-records.ts';
import { whyNoOwnNetworks } from './own-networks-possible.ts';
import type { SubnetPool } from './subnets.ts';
import { isUsed, subnetOf } from './used-subnets.ts';

/** The network that a sandbox without the Engine is started in. */
export type OwnNetwork = {
  /** The path of its namespace. */
  namespace: string;
  address: string;
  gateway: string;
  /** The resolvers that it is told of. */
  dns: string[];
};

/** As `Egress`, and behind the same firewall, but without the Engine: a namespace for each run, tied to this machine by a veth pair. */
export type OwnNetworks = {
  /** Why this worker can make none; `null`: it can. Looks at the machine as it is now, and puts missing rules back. */
  unavailable(): Promise<string | null>;
  /**
   * Makes the run's network, in place of what an earlier try of the same attempt left. Throws a Problem `egress_unavailable`; `overloaded`
   * where there are as many with egress as there may be, and stay; the signal's reason.
   */
  open(owner: SandboxOwner, signal?: AbortSignal): Promise<OwnNetwork>;
  /** Removes it; to be called after the sandbox is gone. Does nothing when there is none. */
  close(owner: Pick<SandboxOwner, 'run' | 'attempt'>): Promise<void>;
  /** What there is of this Runlet, by whichever worker of this machine, also of networks that were being made when it was killed. */
  left(
    instance: string,
  ): Promise<{ id: string; name: string; owner: SandboxOwner; remove(): Promise<void> }[]>;
};

export type OwnNetworksParts = {
  /** What it is asked for tells whether it is in the same network namespace as this worker. */
  engine: Pick<Engine, 'networks' | 'local'>;
  firewall: Firewall;
  subnets: SubnetPool;
  /** The resolvers that the firewall lets through. */
  resolvers: string[];
  /** For the records of what was made. All workers of a machine have the same one. It may be lost with a restart of the machine. */
  stateFolder: string;
  /** Called with a failure that does not keep a network from being made or removed, and is worth a line in the log. */
  onFault?: (error: Error) => void;
  /** How long one waits for its turn where there are as many as there may be. */
  patienceMs?: number;
};

export function createOwnNetworks({
  engine,
  firewall,
  subnets,
  resolvers,
  stateFolder,
  onFault = () => {},
  patienceMs = usualPatienceMs,
}: OwnNetworksParts): OwnNetworks {
  const records = createOwnNetworkRecords(stateFolder);
  const possible = whyNoOwnNetworks(engine);
  const masquerade = createMasquerade(subnets.range);

  /** As of the Engine's networks (bridges.ts). */
  const forget = (subnet: string) => firewall.forget(subnet).catch(onFault);

  const ensureRules = async () => void (await Promise.all([firewall.ensure(), masquerade()]));
  const whyNot = async () => (resolvers.length === 0 ? noResolvers : await possible());
  const messageOf = (error: Error) => error.message;

  /** Returns the subnet. Nothing is in the network yet, so the rules are looked at while it is made: in one batch of commands. */
  async function makeSomewhere(one: OwnNamespace): Promise<string> {
    const rules = ensureRules().then(() => null, messageOf);
    for (let pick = 1; pick <= maxPicks; pick++) {
      const subnet = subnets.pick();
      if (isUsed(subnet)) continue;
      const [isMade] = await Promise.all([make(one, subnet, records.pathOf(one.name)), forget(subnet)]);
      if (isMade) {
        const reason = await rules;
        if (reason !== null) throw refusal(reason);
        return subnet;
      }
      await remove(one);
    }
    throw refusal(noSubnet);
  }

  async function removeRecorded(name: string): Promise<void> {
    if (!records.isThere(name)) return;
    const one = namespaceOf(name);
    const subnet = subnetOf(one.interfaceName);
    // In this order: nothing opens a connection any more when they are forgotten.
    await Promise.all([remove(one), subnet === null ? undefined : forget(subnet)]);
    records.remove(name);
    // Of a killed worker a script may still have been at work. From now on it undoes what it makes.
    await remove(one);
  }

  return {
    unavailable: async () => (await whyNot()) ?? (await ensureRules().then(() => null, messageOf)),

    async open(owner, signal) {
      const reason = await whyNot();
      if (reason !== null) throw refusal(reason);
      // The bounds say how many there may be.
      if (firewall.bounds() === undefined)
        await ensureRules().catch((error: Error) => {
          throw refusal(error.message, error);
        });
      const name = sandboxName(owner);
      const one = namespaceOf(name);
      await removeRecorded(name);
      signal?.throwIfAborted();
      let subnet = '';
      const network = {
        async make() {
          records.write(owner);
          subnet = await makeSomewhere(one);
        },
        remove: () => removeRecorded(name),
      };
      try {
        await inTurn(network, { firewall, patienceMs }, signal);
        signal?.throwIfAborted();
      } catch (error) {
        await removeRecorded(name).catch(onFault);
        throw error instanceof Problem || signal?.aborted ? error : refusal((error as Error).message, error);
      }
      return { namespace: pathOf(one), ...addressesIn(subnet), dns: resolvers };
    },

    close: (owner) => removeRecorded(sandboxName(owner)),

    left: async (instance) =>
      records
        .list()
        .filter(({ owner }) => owner.instance === instance)
        .map(({ name, owner }) => ({ id: name, name, owner, remove: () => removeRecorded(name) })),
  };
}

function namespaceOf(name: string): OwnNamespace {
  // They become words of commands.
  if (!/^[\w.-]+$/.test(name)) throw new Error(`"${name}" cannot be the name of a network`);
  return { name, interfaceName: interfaceFor(name, ownPrefix) };
}
