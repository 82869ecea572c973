import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import type { ServiceRequest } from '../../../shared/contracts/service.ts';
import { Problem } from '../../../shared/problems.ts';
import type { ServiceExecRecord, ServiceExecStore } from '../../../shared/stores/service-execs.ts';
import type { ServiceHead } from '../../../shared/stores/service-record.ts';
import { type ServiceStore, tellsUsesEveryMs } from '../../../shared/stores/services.ts';
import type { ContainerState } from '../engine/containers.ts';
import type { Engine } from '../engine/engine.ts';
import type { ImageInfo } from '../engine/images.ts';
import { serviceName } from '../labels.ts';
import { openExecSandbox } from '../sandbox/drivers/engine/exec-sandbox.ts';
import { imageEnvironment, usualLocale } from '../sandbox/program/environment.ts';
import type { Opened } from '../sandbox/sandboxes.ts';
import { serviceWorkdir } from './spec.ts';

/** A running service as the place of a run: its container stands for a sandbox of the run's own. */
export type Inside = {
  service: string;
  container: ContainerState;
  image: ImageInfo;
  /** The run's request, with the work folder and the locale that hold in the service. */
  request: RunRequest;
  keepAlive: number | 'forever';
};

export type ServiceInside = ReturnType<typeof createServiceInside>;

/** What runs inside of services find there. */
export function createServiceInside(options: {
  engine: Pick<Engine, 'containers' | 'images'>;
  initPath: string;
  services: ServiceStore;
  execs: ServiceExecStore;
}) {
  const { engine, services, execs } = options;

  return {
    /** Throws a Problem `container_lost` where the service does not run. */
    async find(service: string, asked: RunRequest): Promise<Inside> {
      const container = await engine.containers.inspect(serviceName(service));
      const [image, record] = await Promise.all([
        container === null ? null : engine.images.inspect(container.image),
        services.read(service),
      ]);
      if (container?.running !== true || image === null || record === undefined)
        throw new Problem('container_lost', 'The service does not run any more: start it, then try again.');
      const { files, localeEnv } = toldOf(record.head);
      const { keepAlive, workdir: ofService } = record.head.request;
      const workdir = asked.workdir ?? serviceWorkdir(ofService, files, image);
      const locale = usualLocale(imageEnvironment(image), localeEnv, asked.env);
      const request = { ...asked, workdir, env: { ...locale, ...asked.env } };
      return { service, container, image, request, keepAlive };
    },

    /** A sandbox within it. As long as that is open, the service is in use, and lists the run among its programs. */
    async open(runId: string, { service, container, request, keepAlive }: Inside): Promise<Opened> {
      const sandbox = await openExecSandbox(engine.containers, container.id, options.initPath);
      const touch = () => void services.touch(service).catch(() => {});
      const touching = setInterval(touch, tellsUsesEveryMs(keepAlive));
      const note: ServiceExecRecord = {
        id: runId,
        command: request.command ?? [],
        detached: false,
        startedAt: new Date().toISOString(),
        pid: null,
        status: 'running',
        exitCode: null,
        engineExec: null,
        containerStartedAt: container.startedAt,
      };
      await execs.put(service, note).catch(() => {});
      return {
        sandbox,
        own: null,
        warm: false,
        release: async () => {
          clearInterval(touching);
          touch();
          await execs.drop(service, [runId]).catch(() => {});
          await sandbox.remove();
        },
      };
    },
  };
}

/** What must be known of a service's request. An earlier version wrote the whole request into the head. */
function toldOf({ told, request }: ServiceHead): { files: boolean; localeEnv: Record<string, unknown> } {
  if (told !== undefined)
    return { files: told.files, localeEnv: Object.fromEntries(told.locale.map((name) => [name, true])) };
  const { files, env } = request as ServiceRequest;
  return { files: files.length > 0, localeEnv: env };
}
