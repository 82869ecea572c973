import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(command: Command, streams: Streams, finish: (exitCode: number) => void): void {
  command
    .option('--cve', 'each known vulnerability of an engine in full, and what to do')
    .addHelpText('after', '\nExit code 1 if a check failed; warnings alone are 0.')
    .addHelpText(
      'after',
      examples(
        'runlet doctor',
        'runlet doctor --cve',
        'runlet doctor --json | jq \'.checks[] | select(.status != "ok")\'',
      ),
    );
  addCommonOptions(command).action(async ({ cve }: { cve?: boolean }) => {
    const context = openContext(command, streams);
    const { examine } = await import('../doctor/examine.ts');
    const { printChecks, summarise } = await import('../doctor/print.ts');
    const checks = await examine(context);
    if (context.json) await context.printJson({ status: summarise(checks), checks });
    else await printChecks(checks, context, cve === true);
    finish(summarise(checks) === 'failed' ? 1 : 0);
  });
}
