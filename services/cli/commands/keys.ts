import type { Command } from 'commander';
import type { Streams } from '../context.ts';
import { examples } from './common.ts';
import { addAdd } from './keys/add.ts';
import { addLs } from './keys/ls.ts';
import { addRm } from './keys/rm.ts';

export function add(keys: Command, streams: Streams, finish: (exitCode: number) => void): void {
  keys.addHelpText(
    'after',
    examples(
      'runlet keys add ci --expires 90d | gh secret set RUNLET_API_KEY',
      'runlet keys ls',
      'runlet keys rm ci',
    ),
  );
  addAdd(keys, streams);
  addLs(keys, streams);
  addRm(keys, streams, finish);
}
