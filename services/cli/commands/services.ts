import type { Command } from 'commander';
import type { Service } from '../../../shared/contracts/service.ts';
import { openContext, type Streams } from '../context.ts';
import { fetchList } from '../http/fetch-list.ts';
import { servicePath } from '../http/paths.ts';
import { services } from '../ids/kinds.ts';
import { resolveService } from '../ids/resolve.ts';
import { printFacts } from '../output/facts.ts';
import { formatAge } from '../output/format.ts';
import { oneLine } from '../output/harmless.ts';
import { printTable } from '../output/table.ts';
import { factsOf } from '../services/facts.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(command: Command, streams: Streams): void {
  command
    .argument('[name]', 'its name, or its id or its beginning; or last')
    .option('-q, --names', 'names only, one a line')
    .addHelpText(
      'after',
      examples('runlet services', 'runlet services web', 'runlet services -q | xargs -r runlet stop'),
    );
  addCommonOptions(command, '--quiet').action(
    async (name: string | undefined, options: { names?: boolean }) => {
      const context = openContext(command, streams);
      if (name !== undefined) {
        const service = await context.api.json<Service>({
          path: servicePath(await resolveService(context.api, services, name)),
        });
        return context.json ? context.printJson(service) : printFacts(context, factsOf(service));
      }
      const page = await fetchList<Service>(context.api, '/v1/services');
      if (context.json) return context.printJson(page);
      if (options.names === true) {
        for (const one of page.data) await context.out.line(oneLine(one.name));
        return;
      }
      const rows = page.data.map((one) => [
        one.name,
        one.status,
        one.image.reference,
        (one.url ?? one.tcpPorts.map(({ host, hostPort }) => `${host}:${hostPort}`).join(' ')) || '-',
        formatAge(one.createdAt, Date.now()),
        String(one.restarts),
      ]);
      await printTable(context, ['NAME', 'STATUS', 'IMAGE', 'REACHED AT', 'AGE', 'RESTARTS'], rows);
    },
  );
}
