import { accessSync, constants, readFileSync } from 'node:fs';
import type { Engine } from '../engine/engine.ts';
import { look } from './command.ts';
import { interfacesOf } from './used-subnets.ts';

const forwarding = '/proc/sys/net/ipv4/ip_forward';

/**
 * Makes the function that tells why networks without the Engine cannot be made on this machine by this worker, for all that the firewall
 * does not say itself; `null`: they can. What cannot change in the worker's life is looked at once.
 */
export function whyNoOwnNetworks(engine: Pick<Engine, 'networks' | 'local'>): () => Promise<string | null> {
  let lasting: string | null | undefined;
  return async () => {
    // A program that is missing may be installed meanwhile, so only what is well is not looked at again.
    if (lasting !== null) lasting = await lastingReason(engine);
    return lasting ?? whyNotForwarded();
  };
}

async function lastingReason(engine: Pick<Engine, 'networks' | 'local'>): Promise<string | null> {
  if (process.platform !== 'linux')
    return 'network namespaces are Linux’s, and this worker runs on another system';
  if (!engine.local) return 'the engine is on another machine, whose firewall this worker cannot set';
  if (process.getuid?.() !== 0)
    return 'the worker does not run as root, and only root makes network namespaces';
  return (await withoutTools()) ?? (await elsewhere(engine).catch((error: Error) => error.message));
}

/** busybox has an `ip`, too, that knows no namespaces. */
async function withoutTools(): Promise<string | null> {
  const version = await look('ip', ['-V']).catch((error: Error) => error.message);
  if (!version.includes('iproute2')) return 'the program ip of iproute2 is not installed (package iproute2)';
  const entered = await look('nsenter', ['--version']).catch(() => null);
  return entered === null ? 'the program nsenter is not installed (package util-linux)' : null;
}

/**
 * A worker in a container has a network namespace of its own. From a network there the machine itself would be reached like any public
 * address. The Engine's networks have their routes where the Engine is.
 */
async function elsewhere(engine: Pick<Engine, 'networks'>): Promise<string | null> {
  const subnets = (await engine.networks.list({})).flatMap(({ subnet }) => subnet ?? []);
  const isShared = subnets.length === 0 || subnets.some((subnet) => interfacesOf(subnet).length > 0);
  return isShared
    ? null
    : 'the worker does not share the engine’s network namespace, where the firewall must stand';
}

/** Docker Engine turns forwarding on when it starts. Without that it is the machine's owner's decision. */
function whyNotForwarded(): string | null {
  try {
    accessSync(forwarding, constants.W_OK);
  } catch (error) {
    return `the worker cannot set what is under /proc/sys (${(error as Error).message}): a container needs privileged for that`;
  }
  const isOn = readFileSync(forwarding, 'utf8').trim() === '1';
  return isOn
    ? null
    : 'this machine does not forward packets: set net.ipv4.ip_forward to 1 (sysctl -w net.ipv4.ip_forward=1)';
}
