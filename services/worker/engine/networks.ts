import type { Labels } from './label-set.ts';

/** Bridge networks. The rules of every method are in engine.ts. */
export interface Networks {
  /** A bridge network; a Problem `conflict` when the name is taken or the subnet overlaps with another. */
  create(spec: NetworkSpec, signal?: AbortSignal): Promise<NetworkId>;
  /** Resolves to `null` when there is none. */
  inspect(idOrName: string, signal?: AbortSignal): Promise<NetworkSummary | null>;
  remove(idOrName: string, signal?: AbortSignal): Promise<void>;
  list(labels: Labels, signal?: AbortSignal): Promise<NetworkSummary[]>;
}

export type NetworkId = string;

export type NetworkSpec = {
  name: string;
  labels: Labels;
  /** Name of the bridge's interface on the engine's machine, 15 characters at most. */
  interfaceName: string;
  /** As in `10.213.0.0/29`. */
  subnet: string;
  /** Whether packets to other networks get the machine's own address as their source. Default: true. */
  masquerade?: boolean;
};

export type NetworkSummary = {
  id: NetworkId;
  name: string;
  labels: Labels;
  createdAt: string;
  /** As in `10.213.4.8/29`; `null` where it has none. */
  subnet: string | null;
};
