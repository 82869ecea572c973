import { randomUUID } from 'node:crypto';
import { type Command, Option } from 'commander';
import { type ApiKey, type KeyRole, keyRoles } from '../../../../shared/contracts/key.ts';
import { openContext, type Streams } from '../../context.ts';
import { keyPath } from '../../http/paths.ts';
import { parseUntil } from '../../parse/time.ts';
import { addCommonOptions, examples } from '../common.ts';
import { as } from '../option.ts';

type AddOptions = { role: KeyRole; expires?: string };
type Made = ApiKey & { key?: string };

export function addAdd(keys: Command, streams: Streams): void {
  const command = keys
    .command('add')
    .description('make a key; prints it on stdout, once, and all else on stderr')
    .argument('<name>', 'what it is for')
    .addOption(new Option('--role <role>', 'what it may').choices(keyRoles).default('member'))
    .option('--expires <time>', 'when it ends: in 90d, or at 2027-01-31T12:00:00Z', as(parseUntil))
    .addHelpText(
      'after',
      '\nA member may everything but keys, registries, workers, and taking images away; an admin may that, too.',
    )
    .addHelpText(
      'after',
      examples(
        'runlet keys add ci --expires 90d',
        'runlet keys add alice --role admin',
        'runlet keys add laptop | ssh laptop runlet login --url https://runlet.example.com --key-stdin',
      ),
    );
  addCommonOptions(command).action(async (name: string, { role, expires }: AddOptions) => {
    const context = openContext(command, streams);
    const make = () =>
      context.api.json<Made>({
        method: 'POST',
        path: '/v1/keys',
        body: { name, role, ...(expires !== undefined && { expiresAt: expires }) },
        headers: { 'idempotency-key': randomUUID() },
      });
    let made = await make();
    if (made.key === undefined) {
      // The first answer was lost with its connection, and the retried request does not return the key again. Nobody
      // knows this key, so it is deleted and a new one is made.
      await context.api.json({ method: 'DELETE', path: keyPath(made.id) });
      made = await make();
    }
    if (context.json) return context.printJson(made);
    await context.out.line(made.key ?? '');
    const until = made.expiresAt === null ? '' : ` until ${made.expiresAt}`;
    context.note(`${made.id}, ${made.role}${until}. The key is shown this once.`);
  });
}
