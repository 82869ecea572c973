import type { Command } from 'commander';
import type { ProblemBody } from '../../../shared/contracts/problem.ts';
import { openContext, type Streams } from '../context.ts';
import { imagePath } from '../http/paths.ts';
import { oneLine } from '../output/harmless.ts';
import { namesOf, workersOf } from '../workers/names.ts';
import { addCommonOptions, examples } from './common.ts';

type Removal = { worker: string; removed: boolean; error: ProblemBody | null };

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .argument('<image>', 'its reference, as `runlet images` shows it, or its id')
    .addHelpText('after', examples('runlet rmi debian:13'));
  addCommonOptions(command).action(async (image: string) => {
    const context = openContext(command, streams);
    const answer = await context.api.json<{ data: Removal[] }>({
      method: 'DELETE',
      path: imagePath(image),
    });
    if (context.json) await context.printJson(answer);
    const nameOf = namesOf(await workersOf(context.api));
    for (const { worker, removed, error } of answer.data) {
      if (error) await context.printProblem({ ...error, title: `${nameOf(worker)}: ${error.title}` });
      else if (!context.json)
        await context.out.line(`${oneLine(nameOf(worker))}: ${removed ? 'removed' : 'did not have it'}`);
    }
    finish(answer.data.some(({ error }) => error !== null) ? 1 : 0);
  });
}
