import type { Command } from 'commander';
import { openContext, type Streams } from '../../context.ts';
import { endpointPath } from '../../http/paths.ts';
import { endpoints } from '../../ids/kinds.ts';
import { resolveId } from '../../ids/resolve.ts';
import { addCommonOptions, examples } from '../common.ts';
import { forEach } from '../for-each.ts';

/** The commands `enable` and `disable`. */
export function addSwitches(webhooks: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const addSwitch = (name: string, description: string, enabled: boolean) => {
    const command = webhooks
      .command(name)
      .description(description)
      .argument('<endpoint...>', 'ids of endpoints, or their beginnings; or last')
      .addHelpText('after', examples(`runlet webhooks ${name} whk_0197…`));
    addCommonOptions(command).action(async (ids: string[]) => {
      const context = openContext(command, streams);
      const change = (id: string) =>
        context.api.json({ method: 'PATCH', path: endpointPath(id), body: { enabled } });
      const idOf = (text: string) => resolveId(context.api, endpoints, text);
      const exitCode = await forEach(context, ids, change, idOf);
      if (enabled && exitCode === 0)
        context.note(
          'They get what is new. What failed is sent again by `runlet webhooks redeliver --failed --since …`.',
        );
      finish(exitCode);
    });
  };
  addSwitch('enable', 'let endpoints get events again, whoever disabled them', true);
  addSwitch('disable', 'let endpoints get no events until they are enabled', false);
}
