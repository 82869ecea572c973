import type { Command } from 'commander';
import type { ApiKey } from '../../../../shared/contracts/key.ts';
import { type Context, openContext, type Streams } from '../../context.ts';
import { ApiError, ownProblem } from '../../errors.ts';
import { fetchList } from '../../http/fetch-list.ts';
import { keyPath } from '../../http/paths.ts';
import { addCommonOptions, examples } from '../common.ts';
import { forEach } from '../for-each.ts';

export function addRm(keys: Command, streams: Streams, finish: (exitCode: number) => void): void {
  const command = keys
    .command('rm')
    .description('take keys back: they open nothing from then on, and what they have open ends')
    .argument('<key...>', 'ids, or names that only one key has')
    .addHelpText('after', '\nThe last admin key that does not expire stays: make another one first.')
    .addHelpText('after', examples('runlet keys rm ci', 'runlet keys rm key_0197…'));
  addCommonOptions(command).action(async (names: string[]) => {
    const context = openContext(command, streams);
    finish(
      await forEach(context, names, async (name) =>
        context.api.json({ method: 'DELETE', path: keyPath(await idOf(context, name)) }),
      ),
    );
  });
}

/** Looked up again for each name: if we remove the key that we use ourselves, the next lookup must show that. */
async function idOf(context: Context, name: string): Promise<string> {
  if (/^key_[0-9a-f]{32}$/.test(name)) return name;
  const { data } = await fetchList<ApiKey>(context.api, '/v1/keys');
  const found = data.filter((key) => key.id === name || key.name === name);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first.id;
  throw new ApiError(
    first === undefined
      ? ownProblem(
          'not_found',
          'Nothing was found under this name',
          'There is no such key: see `runlet keys ls`.',
        )
      : ownProblem(
          'conflict',
          'Several keys have this name',
          `Say which one by its id: ${found.map(({ id }) => id).join(', ')}.`,
        ),
  );
}
