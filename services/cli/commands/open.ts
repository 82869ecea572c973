import { spawn } from 'node:child_process';
import { type Command, Option } from 'commander';
import { openContext, type Streams } from '../context.ts';
import { servicePath } from '../http/paths.ts';
import { services } from '../ids/kinds.ts';
import { resolveService } from '../ids/resolve.ts';
import { printable } from '../output/harmless.ts';
import { parseDuration } from '../parse/duration.ts';
import { addCommonOptions, examples } from './common.ts';
import { as } from './option.ts';

type OpenOptions = { expires: number; path: string; print?: boolean };

export function add(command: Command, streams: Streams): void {
  command
    .argument('<name>', 'the service’s name or id')
    .addOption(
      new Option('--expires <time>', 'how long the URL is good')
        .argParser(as(parseDuration))
        .default(3_600_000, '1h'),
    )
    .option('--path <path>', 'where to begin', '/')
    .option('--print', 'print the URL and open nothing')
    .addHelpText('after', examples('runlet open web', 'runlet open web --print --expires 10m'));
  addCommonOptions(command).action(async (name: string, options: OpenOptions) => {
    const context = openContext(command, streams);
    const signed = await context.api.json<{ url: string; expiresAt: string }>({
      method: 'POST',
      path: servicePath(await resolveService(context.api, services, name), '/url'),
      body: { expiresInMs: options.expires, path: options.path },
    });
    if (context.json) return context.printJson(signed);
    await context.out.line(printable(signed.url));
    // Whatever the server answered, we open only web pages, never a program of another URL scheme.
    if (options.print === true || !process.stdout.isTTY || !/^https?:\/\//i.test(signed.url)) return;
    const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
    const { RUNLET_API_KEY: _, ...withoutKey } = process.env;
    // If there is no browser, the user still has the printed URL.
    spawn(opener, [signed.url], { stdio: 'ignore', detached: true, env: withoutKey })
      .on('error', () => {})
      .unref();
  });
}
