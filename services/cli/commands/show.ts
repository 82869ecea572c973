import type { Command } from 'commander';
import type { Run } from '../../../shared/contracts/run.ts';
import { openContext, type Streams } from '../context.ts';
import { runPath } from '../http/paths.ts';
import { runs } from '../ids/kinds.ts';
import { resolveId } from '../ids/resolve.ts';
import { type Fact, printFacts } from '../output/facts.ts';
import { formatBytes, formatMs } from '../output/format.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(command: Command, streams: Streams): void {
  command
    .argument('<run>', 'the run’s id, or its beginning; or last')
    .addHelpText('after', examples('runlet show run_0197…', 'runlet show --json run_0197… | jq .usage'));
  addCommonOptions(command).action(async (given: string) => {
    const context = openContext(command, streams);
    const runId = await resolveId(context.api, runs, given);
    const run = await context.api.json<Run>({ path: runPath(runId) });
    if (context.json) return context.printJson(run);
    await printFacts(context, describe(run));
  });
}

function describe(run: Run): Fact[] {
  const { timings, usage } = run;
  const given = (value: string | number | null | undefined) =>
    value === null || value === undefined ? undefined : String(value);
  const bytes = (value: number | null) => (value === null ? undefined : formatBytes(value));
  return [
    ['id', run.id],
    ['status', run.status],
    ['exit code', given(run.exitCode)],
    ['signal', given(run.signal)],
    ['error', run.error ? `${run.error.title} (${run.error.code}): ${run.error.detail}` : undefined],
    ['image', given(run.image?.reference ?? (run.request.image as string | undefined))],
    ['digest', given(run.image?.digest)],
    ['command', words(run.request.command)],
    ['attempt', String(run.attempt)],
    ['worker', given(run.worker)],
    ['created', run.createdAt],
    ['started', given(run.startedAt)],
    ['finished', given(run.finishedAt)],
    [
      'timings',
      `queued ${formatMs(timings.queuedMs)}, pull ${formatMs(timings.pullMs)}, start ${formatMs(timings.startMs)}, run ${formatMs(timings.runMs)}, total ${formatMs(timings.totalMs)}`,
    ],
    ['cpu time', usage.cpuMs === null ? undefined : formatMs(usage.cpuMs)],
    ['peak memory', bytes(usage.maxMemoryBytes)],
    ['output', `${formatBytes(outputSize(run))}${run.outputTruncated ? ', cut at the limit' : ''}`],
    ...Object.entries(run.metadata).map(([name, value]): [string, string] => [`metadata ${name}`, value]),
  ];
}

function outputSize(run: Run): number {
  return (
    Buffer.byteLength(run.stdout, run.outputEncoding) + Buffer.byteLength(run.stderr, run.outputEncoding)
  );
}

function words(command: unknown): string | undefined {
  return Array.isArray(command) ? command.map((word) => JSON.stringify(word)).join(' ') : undefined;
}
