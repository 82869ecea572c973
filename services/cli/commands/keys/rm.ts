import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { keyPath } from '../../http/paths.ts';
import { keys as kind } from '../../ids/kinds.ts';
import { resolveNamed } from '../../ids/resolve.ts';
import { addCommonOptions, examples } from '../common.ts';
import { forEach } from '../for-each.ts';

export function addRm(keys: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = keys
    .command('rm')
    .description('take keys back: they open nothing from then on, and what they have open ends')
    .argument('<key...>', 'ids or their beginnings, or names that only one key has')
    .addHelpText('after', '\nThe last admin key that does not expire stays: make another one first.')
    .addHelpText('after', examples('runlet keys rm ci', 'runlet keys rm key_0197…'));
  addCommonOptions(command).action(async (names: string[]) => {
    const context = openContext(command, streams);
    const { api } = context;
    // Looked up again for each name: if we remove the key that we use ourselves, the next lookup must show that.
    const remove = async (name: string) =>
      api.json({ method: 'DELETE', path: keyPath(await resolveNamed(api, kind, name)) });
    finish(await forEach(context, names, remove));
  });
}
