import { type Command, Option } from 'commander';
import type { Delivery, DeliveryStatus } from '../../../../shared/contracts/webhook.ts';
import { type Context, openContext, type Streams } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { fetchList } from '../../http/fetch-list.ts';
import { deliveryPath } from '../../http/paths.ts';
import { deliveries, endpoints, runs } from '../../ids/kinds.ts';
import { resolveId } from '../../ids/resolve.ts';
import { shortIds } from '../../ids/short.ts';
import { printFacts } from '../../output/facts.ts';
import { printTable } from '../../output/table.ts';
import { parseCount } from '../../parse/number.ts';
import { deliveryFacts, deliveryHead, deliveryRow, tryLines } from '../../webhooks/delivery.ts';
import { addCommonOptions, examples } from '../common.ts';
import { as } from '../option.ts';

type DeliveriesOptions = { endpoint?: string; run?: string; status?: string; limit: number };

const statuses: readonly DeliveryStatus[] = ['pending', 'delivered', 'failed'];

export function addDeliveries(webhooks: Command, streams: Streams): void {
  const command = webhooks
    .command('deliveries')
    .description('list deliveries, the newest first; or show one with all of its tries')
    .argument('[delivery]', 'the id of one, or its beginning; or last')
    .option('--endpoint <id>', 'only those to this endpoint')
    .option('--run <id>', 'only those of this run')
    .addOption(new Option('--status <status>', 'only these').choices(statuses))
    .option('-n, --limit <number>', 'most deliveries to list', as(parseCount), 20)
    .addHelpText(
      'after',
      examples(
        'runlet webhooks deliveries',
        'runlet webhooks deliveries --status failed --endpoint whk_0197…',
        'runlet webhooks deliveries del_0197…',
      ),
    );
  addCommonOptions(command).action((id: string | undefined, options: DeliveriesOptions) => {
    const context = openContext(command, streams);
    return id === undefined ? list(context, options) : show(context, id, options);
  });
}

async function list(context: Context, { limit, endpoint, run, status }: DeliveriesOptions): Promise<void> {
  const { api } = context;
  const query = {
    ...(endpoint && { endpoint: await resolveId(api, endpoints, endpoint) }),
    ...(run && { run: await resolveId(api, runs, run) }),
    ...(status && { status }),
  };
  const page = await fetchList<Delivery>(api, '/v1/deliveries', query, limit);
  if (context.json) return context.printJson(page);
  const short = shortIds(
    context.out,
    page.data.map(({ id }) => id),
  );
  const rows = page.data.map((one) => deliveryRow({ ...one, id: short(one.id) }, Date.now()));
  await printTable(context, deliveryHead, rows);
  if (page.nextCursor !== null) context.note(`There are more; -n shows more than ${limit}.`);
}

async function show(context: Context, given: string, options: DeliveriesOptions): Promise<void> {
  if (options.endpoint ?? options.run ?? options.status)
    throw new UsageError('One delivery is shown by its id alone: leave out --endpoint, --run and --status.');
  const id = await resolveId(context.api, deliveries, given);
  const delivery = await context.api.json<Delivery>({ path: deliveryPath(id) });
  if (context.json) return context.printJson(delivery);
  await printFacts(context, deliveryFacts(delivery));
  for (const [index, attempt] of delivery.attempts.entries())
    await context.out.line(tryLines(index + 1, attempt));
}
