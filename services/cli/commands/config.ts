import type { Command } from 'commander';
import { maskKey } from '../config/config.ts';
import { openContext, type Streams } from '../context.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(program: Command, streams: Streams): void {
  const command = program
    .command('config')
    .description('show the server and the key that are in effect, and where they come from')
    .addHelpText('after', '\nPrecedence: flags, RUNLET_URL and RUNLET_API_KEY, the config file, the default.')
    .addHelpText('after', examples('runlet config', 'RUNLET_URL=https://runlet.example.com runlet config'));
  addCommonOptions(command).action(async () => {
    const context = openContext(command, streams);
    const { url, urlFrom, apiKey, apiKeyFrom, file } = context.config;
    const masked = apiKey === undefined ? null : maskKey(apiKey);
    if (context.json)
      return context.printJson({
        url,
        urlFrom,
        apiKey: masked,
        apiKeyFrom: apiKeyFrom ?? null,
        file: { path: file.path, found: file.found },
      });
    await context.out.line(`url      ${url} (${urlFrom})`);
    await context.out.line(`api key  ${masked === null ? 'none' : `${masked} (${apiKeyFrom})`}`);
    await context.out.line(`file     ${file.path}${file.found ? '' : ' (not there)'}`);
  });
}
