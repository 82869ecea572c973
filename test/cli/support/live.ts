import type { Service } from '../../../shared/contracts/service.ts';
import { docker } from '../../support/docker.ts';
import type { Lab } from '../../support/lab.ts';
import { ensureImages } from '../../support/lab-images.ts';
import { freePort } from '../../support/ports.ts';
import { startRunlet } from '../../support/runlet.ts';
import { type CliOptions, cleanUp, runCli, startCli } from './cli.ts';

/** A whole Runlet with an engine, and the CLI as its user calls it. */
export async function startLive(lab: Lab, images: string[]) {
  const added = await ensureImages(lab, images);
  // Addresses that the CLI prints are to be those that it is reached at.
  const port = await freePort();
  const runlet = await startRunlet(lab, {
    env: {
      RUNLET_PORT: String(port),
      RUNLET_PUBLIC_URL: `http://127.0.0.1:${port}`,
      RUNLET_MAX_MEMORY_BYTES: String(2 ** 31),
    },
  });
  const user = { RUNLET_API_KEY: runlet.apiKey };
  const on = ({ env, ...options }: CliOptions): CliOptions => ({
    url: runlet.url,
    env: { ...user, ...env },
    ...options,
  });
  return {
    runlet,
    port,
    cli: (args: string[], options: CliOptions = {}) => runCli(args, on(options)),
    start: (args: string[], options: CliOptions = {}) => startCli(args, on(options)),
    async service(name: string): Promise<Service> {
      return (await (await runlet.call('GET', `/v1/services/${name}`)).json()) as Service;
    },
    async stop(): Promise<void> {
      cleanUp();
      const { data } = (await (await runlet.call('GET', '/v1/services?limit=100')).json()) as {
        data: Service[];
      };
      for (const { id } of data) await runlet.call('DELETE', `/v1/services/${id}?volumes=true`);
      await runlet.stop();
      if (added.length > 0) await docker(lab.dockerHost, 'rmi', '--force', ...added);
    },
  };
}

export type Live = Awaited<ReturnType<typeof startLive>>;
