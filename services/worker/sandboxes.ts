import { readFile } from 'node:fs/promises';
import { Problem } from '../../shared/problems.ts';
import type { Engine, EngineInfo, ImageInfo } from './engine/engine.ts';
import type { WorkerEnvironment } from './environment.ts';
import type { Attempt } from './execute-run.ts';
import { containerSpecFor } from './sandbox/container-spec.ts';
import type { Egress } from './sandbox/egress.ts';
import type { SandboxOwner } from './sandbox/labels.ts';
import { createSandbox, type Sandbox } from './sandbox/sandbox.ts';

const gvisorRuntime = 'runsc';

/** Makes the sandbox of an attempt: network, container, streams. */
export async function createSandboxes(options: {
  engine: Engine;
  info: () => EngineInfo;
  env: WorkerEnvironment;
  workerId: string;
  instance: string;
  egress: Egress;
}) {
  const { engine, env, egress } = options;
  const seccompProfile = await readFile(new URL('../../infra/seccomp/profile.json', import.meta.url), 'utf8');
  const policy = { user: env.RUNLET_RUN_USER, seccompProfile, gvisorRuntime };

  return {
    async open(
      attempt: Attempt,
      image: ImageInfo,
    ): Promise<{ sandbox: Sandbox; release: () => Promise<void> }> {
      const { request, holder } = attempt;
      if (request.isolation === 'gvisor' && !options.info().runtimes.includes(gvisorRuntime))
        throw new Problem(
          'isolation_unavailable',
          'This worker’s engine has no runsc runtime: use isolation "container", or have gVisor installed.',
        );
      const owner: SandboxOwner = {
        run: holder.runId,
        tenant: holder.tenant,
        attempt: holder.attempt,
        worker: options.workerId,
        instance: options.instance,
      };
      const network = request.network === 'egress' ? await egress.open(owner) : undefined;
      const release = async () => {
        if (network !== undefined) await egress.close(owner);
      };
      try {
        const spec = containerSpecFor(request, image, owner, policy, network);
        return { sandbox: await createSandbox(engine, spec), release };
      } catch (error) {
        await release();
        throw error;
      }
    },
  };
}
