import type { Command } from 'commander';
import type { Run } from '../../../shared/contracts/run.ts';
import { openContext, type Streams } from '../context.ts';
import { runPath } from '../http/paths.ts';
import { runs } from '../ids/kinds.ts';
import { resolveId } from '../ids/resolve.ts';
import { formatBytes } from '../output/format.ts';
import { printTable } from '../output/table.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(command: Command, streams: Streams): void {
  command
    .argument('<run>', 'the run’s id, or its beginning; or last')
    .option('-o, --output-dir <folder>', 'fetch them into this folder')
    .addHelpText('after', examples('runlet artifacts run_0197…', 'runlet artifacts -o results run_0197…'));
  addCommonOptions(command).action(async (given: string, options: { outputDir?: string }) => {
    const context = openContext(command, streams);
    const runId = await resolveId(context.api, runs, given);
    const run = await context.api.json<Run>({ path: runPath(runId) });
    if (options.outputDir !== undefined) {
      const { fetchArtifacts } = await import('../files/fetch-artifacts.ts');
      await fetchArtifacts(context, run, options.outputDir);
      return;
    }
    if (context.json) return context.printJson({ data: run.artifacts });
    const rows = run.artifacts.map(({ path, sizeBytes, sha256 }) => [
      path,
      formatBytes(sizeBytes),
      sha256.slice(0, 12),
    ]);
    await printTable(context, ['PATH', 'SIZE', 'SHA-256'], rows);
  });
}
