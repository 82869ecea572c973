import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import type { ListenOptions } from '../../webhooks/listen.ts';
import { addCommonOptions, examples } from '../common.ts';
import { each, text } from '../option.ts';

export function addListen(webhooks: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = webhooks
    .command('listen')
    .description('show events as they happen, and pass them on to a receiver on this machine')
    .option('--forward <url>', 'POST each event there, signed as a delivery is')
    .option(
      '--event <pattern>',
      'an event’s name, a family like run.*, or * (repeatable; default all)',
      each(text),
    )
    .option('--secret <secret>', 'sign with it (else RUNLET_WEBHOOK_SECRET, or one that is made and printed)')
    .addHelpText(
      'after',
      '\nWhat a receiver does not take is shown and not tried again. Ctrl-C ends it, with exit code 0. With --json: one\nevent a line.',
    )
    .addHelpText(
      'after',
      examples(
        'runlet webhooks listen',
        'runlet webhooks listen --forward http://127.0.0.1:3000/hook',
        'runlet webhooks listen --json --event run.finished | jq .payload.data.status',
      ),
    );
  addCommonOptions(command).action(async (options: ListenOptions) => {
    const { listen } = await import('../../webhooks/listen.ts');
    finish(await listen(openContext(command, streams), options));
  });
}
