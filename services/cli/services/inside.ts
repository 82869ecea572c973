import type { Run } from '../../../shared/contracts/run.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors.ts';
import { servicePath } from '../http/paths.ts';

/** Runs a short program of the image's own inside a service. `undefined` if the image has no such program. */
export async function runInside({ api }: Context, name: string, command: string[]): Promise<Run | undefined> {
  const headers = { prefer: 'wait=60' };
  const run = await api.json<Run>(
    { method: 'POST', path: servicePath(name, '/exec'), body: { command }, headers },
    { onLoss: false },
  );
  if (run.error?.code === 'command_not_found') return undefined;
  if (run.error) throw new ApiError(run.error);
  return run;
}

/** Whether a path in a service is a folder. An image without the program `test` cannot tell. */
export async function isFolderIn(context: Context, name: string, path: string): Promise<boolean> {
  return (await runInside(context, name, ['test', '-d', `/${path}`]))?.exitCode === 0;
}
