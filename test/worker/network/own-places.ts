import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect } from 'vitest';
import { ownPrefix } from '../../../services/worker/network/firewall-rules.ts';
import type { OwnNetwork, OwnNetworks } from '../../../services/worker/network/own-networks.ts';
import { owner, sh } from '../engine/support.ts';
import type { Place } from './egress.suite.ts';

/** Of the kernel, what the worker's own networks consist of. */
export const interfaces = () => readdirSync('/sys/class/net').filter((name) => name.startsWith(ownPrefix));
/** (Another Runlet of this machine may have some of its own.) */
export const namespaces = () =>
  (existsSync('/run/netns') ? readdirSync('/run/netns') : []).filter((name) => name.includes(instance));
const { instance } = owner();

/** A folder for a test file; at its end nothing of its networks may be left. Call it after `internet()` and before `bench()`. */
export function ownPlaces() {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-own-networks-'));
  const programs = join(folder, 'bin');
  const stateFolder = join(folder, 'networks');
  const env = { ...process.env, PATH: `${programs}:${process.env.PATH}`, TMPDIR: folder };
  const within = (namespace: string, script: string) => [`--net=${namespace}`, 'sh', '-c', script];

  beforeAll(() => {
    mkdirSync(programs);
    sh('busybox', '--install', '-s', programs);
  });
  afterAll(() => {
    const records = existsSync(stateFolder) ? readdirSync(stateFolder) : [];
    rmSync(folder, { recursive: true });
    const nothing: string[] = [];
    expect({ interfaces: interfaces(), namespaces: namespaces(), records }).toEqual({
      interfaces: nothing,
      namespaces: nothing,
      records: nothing,
    });
  });

  /** What a script of busybox's writes that is executed in a network. */
  async function run({ namespace }: Pick<OwnNetwork, 'namespace'>, script: string): Promise<string> {
    return (await promisify(execFile)('nsenter', within(namespace, script), { env })).stdout;
  }

  /** A network of a run's, with no container in it. */
  async function open(networks: OwnNetworks): Promise<Place> {
    const who = owner();
    const network = await networks.open(who);
    return {
      run: (script) => run(network, script),
      async begin(script) {
        const { stdout } = spawn('nsenter', within(network.namespace, script), {
          stdio: ['ignore', 'pipe', 'ignore'],
          env,
        });
        await new Promise((resolve) => stdout.once('data', resolve));
        return network.address;
      },
      async end() {
        for (const pid of sh('ip', 'netns', 'pids', basename(network.namespace)).split('\n').filter(Boolean))
          process.kill(Number(pid), 'SIGKILL');
        await networks.close(who);
      },
    };
  }

  return { stateFolder, run, open };
}
