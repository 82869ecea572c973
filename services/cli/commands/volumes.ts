import type { Command } from 'commander';
import type { Streams } from '../context.ts';
import { examples } from './common.ts';
import { addLs } from './volumes/ls.ts';
import { addRm } from './volumes/rm.ts';
import { addShow } from './volumes/show.ts';

export function add(volumes: Command, streams: Streams, finish: (exitCode: number) => void): void {
  volumes.addHelpText(
    'after',
    examples('runlet volumes', 'runlet volumes show data', 'runlet volumes rm data'),
  );
  addLs(volumes, streams);
  addShow(volumes, streams);
  addRm(volumes, streams, finish);
}
