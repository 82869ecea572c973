import type { Command } from 'commander';
import type { Streams } from '../context.ts';
import { examples } from './common.ts';
import { addAdd } from './webhooks/add.ts';
import { addDeliveries } from './webhooks/deliveries.ts';
import { addListen } from './webhooks/listen.ts';
import { addLs } from './webhooks/ls.ts';
import { addRedeliver } from './webhooks/redeliver.ts';
import { addRm } from './webhooks/rm.ts';
import { addRotate } from './webhooks/rotate.ts';
import { addSwitches } from './webhooks/switches.ts';
import { addTest } from './webhooks/test.ts';
import { addUpdate } from './webhooks/update.ts';

export function add(webhooks: Command, streams: Streams, finish: (exitCode: number) => void): void {
  webhooks.addHelpText(
    'after',
    examples(
      'runlet webhooks listen --forward http://127.0.0.1:3000/hook',
      'runlet webhooks add https://example.com/hooks/runlet',
      'runlet webhooks test whk_0197…',
      'runlet webhooks deliveries --status failed',
    ),
  );
  addAdd(webhooks, streams);
  addLs(webhooks, streams);
  addUpdate(webhooks, streams);
  addSwitches(webhooks, streams, finish);
  addRotate(webhooks, streams);
  addTest(webhooks, streams, finish);
  addRm(webhooks, streams, finish);
  addDeliveries(webhooks, streams);
  addRedeliver(webhooks, streams, finish);
  addListen(webhooks, streams, finish);
}
