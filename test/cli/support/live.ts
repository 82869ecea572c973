import { docker } from '../../support/docker.ts';
import type { Lab } from '../../support/lab.ts';
import { ensureImages } from '../../support/lab-images.ts';
import { freePort } from '../../support/ports.ts';
import { startRunlet } from '../../support/runlet.ts';
import { servicesOf } from '../../whole/services/support.ts';
import { type CliOptions, cleanUp, runCli, startCli } from './cli.ts';

/** A whole Runlet with an engine, and the CLI as its user calls it. */
export async function startLive(lab: Lab, images: string[]) {
  await ensureImages(lab, images);
  // Addresses that the CLI prints are to be those that it is reached at.
  const port = await freePort();
  const runlet = await startRunlet(lab, {
    env: {
      RUNLET_PORT: String(port),
      RUNLET_PUBLIC_URL: `http://127.0.0.1:${port}`,
      RUNLET_MAX_MEMORY_BYTES: String(2 ** 31),
    },
  });
  const api = servicesOf(runlet, lab.dockerHost);
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
    service: api.read,
    /** In a service that is not ready nothing is run through Runlet. */
    inContainer: (service: string, ...command: string[]) =>
      docker(lab.dockerHost, 'exec', `runlet-${service}`, ...command),
    async stop(): Promise<void> {
      cleanUp();
      await api.removeAll('?volumes=true');
      await runlet.stop();
    },
  };
}

export type Live = Awaited<ReturnType<typeof startLive>>;
