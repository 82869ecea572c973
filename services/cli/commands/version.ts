import type { Command } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { version } from '../version.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(command: Command, streams: Streams): void {
  command.addHelpText('after', examples('runlet version', 'runlet version --json'));
  addCommonOptions(command).action(async () => {
    const context = openContext(command, streams);
    await (context.json
      ? context.printJson({ version, node: process.versions.node })
      : context.out.line(`runlet ${version} (Node ${process.versions.node})`));
  });
}
