import type { Run } from '../../shared/contracts/run.ts';
import type { Runlet } from '../support/runlet.ts';
import { timed } from './measure.ts';

export type Sample = { ms: number; run: Run };

/** One run over HTTP, which must succeed, and what it took its client. */
export async function post(runlet: Runlet, request: Record<string, unknown>): Promise<Sample> {
  let run: Run | undefined;
  const ms = await timed(async () => {
    run = await runlet.run(request);
  });
  if (run?.status !== 'succeeded')
    throw new Error(
      `${JSON.stringify(request)}: ${run?.status} ${JSON.stringify(run?.error)} ${run?.stderr}`,
    );
  return { ms, run };
}

export const warmOf = (samples: Sample[]) =>
  `${samples.filter(({ run }) => run.startedWarm).length} of ${samples.length} warm`;
