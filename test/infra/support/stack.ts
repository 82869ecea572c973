import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from '../../../infra/parts/pids.ts';
import { freePort } from '../../../infra/parts/ports.ts';
import { docker } from '../../support/docker.ts';
import type { Lab } from '../../support/lab.ts';
import { ensureLoaded } from '../../support/lab-images.ts';
import { callerOf } from '../../support/runlet.ts';
import { composeCommand, composeProject } from './compose.ts';
import { root } from './npm-start.ts';

const bases = ['node', 'redis', 'registry', 'gcc'];

export type Stack = Awaited<ReturnType<typeof startStack>>;

/** The stack of docker-compose.yml on the lab's Engine, as a project of its own, with images of its own. */
export async function startStack(
  lab: Lab,
  more: {
    /** Overlays of this repository, and what a site adds to them. */
    overlays?: string[];
    site?: object;
    env?: Record<string, string>;
    /** What has to be there before it is ready. */
    meanwhile?: () => Promise<void>;
  },
) {
  for (const name of bases) await ensureLoaded(lab, name);
  const key = `rlk_${randomBytes(24).toString('hex')}`;
  const project = `runlet-test-${randomBytes(4).toString('hex')}`;
  const folder = mkdtempSync(join(tmpdir(), 'runlet-compose-'));
  const port = await freePort('127.0.0.1');
  const cachePort = await freePort('127.0.0.1');
  const gateway = `http://127.0.0.1:${port}`;
  const files = ['docker-compose.yml', ...(more.overlays ?? [])].map((file) => join(root, file));
  if (more.site !== undefined) {
    const site = join(folder, 'site.json');
    writeFileSync(site, JSON.stringify(more.site));
    files.push(site);
  }
  const compose = composeProject(await composeCommand(), project, files, {
    DOCKER_HOST: lab.dockerHost,
    RUNLET_ENGINE_SOCKET: lab.dockerHost.slice('unix://'.length),
    RUNLET_TAG: project,
    RUNLET_API_KEY: key,
    RUNLET_SECRET_KEY: randomBytes(32).toString('base64'),
    RUNLET_PORT: String(port),
    RUNLET_REGISTRY_PORT: String(cachePort),
    RUNLET_REGISTRY_UPSTREAM: '',
    RUNLET_PUBLIC_URL: gateway,
    RUNLET_BUILD_NETWORK: process.env.RUNLET_BUILD_NETWORK ?? 'default',
    ...more.env,
  });
  const call = callerOf(gateway, key);

  const ready = async () => (await fetch(`${gateway}/readyz`).catch(() => undefined))?.status;

  const container = (service: string) => {
    const labels = [`project=${project}`, `service=${service}`];
    const filters = labels.flatMap((label) => ['--filter', `label=com.docker.compose.${label}`]);
    return docker(lab.dockerHost, 'ps', '--quiet', ...filters);
  };

  async function remove(): Promise<void> {
    await compose(['down', '--volumes', '--timeout', '20'], true);
    for (const program of ['gateway', 'worker', 'notifier'])
      await docker(lab.dockerHost, 'rmi', '--force', `runlet-${program}:${project}`).catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    await compose(['up', '-d', '--build']);
    await more.meanwhile?.();
    if (!(await waitUntil(async () => (await ready()) === 200, 90_000, 100)))
      throw new Error(`Not ready:\n${(await compose(['logs', '--tail', '40'])).stdout}`);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    key,
    project,
    gateway,
    cache: `127.0.0.1:${cachePort}`,
    compose,
    call,
    ready,
    container,
    remove,
    // By the Engine's own client: Compose takes half a second for each.
    inside: async (service: string, ...command: string[]) =>
      docker(lab.dockerHost, 'exec', await container(service), ...command),
    post: async (image: string, fields: Record<string, unknown> = {}) => {
      const response = await call('POST', '/v1/runs', { image, ...fields }, { prefer: 'wait=30' });
      return { status: response.status, run: (await response.json()) as { id: string; stdout: string } };
    },
  };
}
