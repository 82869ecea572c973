import type { Command } from 'commander';
import { maskKey } from '../config/config.ts';
import { type Context, openContext, type Streams } from '../context.ts';
import { UsageError } from '../errors.ts';
import { quoted } from '../parse/words.ts';
import { addCommonOptions, examples } from './common.ts';

type ConfigOptions = { showKey?: boolean; env?: boolean };

export function add(command: Command, streams: Streams): void {
  command
    .option('--show-key', 'show the whole key')
    .option('--env', 'print both as a line for the shell, the whole key included')
    .addHelpText('after', '\nPrecedence: flags, RUNLET_URL and RUNLET_API_KEY, the config file, the default.')
    .addHelpText(
      'after',
      examples(
        'runlet config',
        'RUNLET_URL=https://runlet.example.com runlet config',
        'eval "$(runlet config --env)"',
      ),
    );
  addCommonOptions(command).action(async ({ showKey, env }: ConfigOptions) => {
    const context = openContext(command, streams);
    if (env) return printEnvironment(context);
    const { url, urlFrom, apiKey, apiKeyFrom, file } = context.config;
    const shown = apiKey === undefined ? null : showKey ? apiKey : maskKey(apiKey);
    if (context.json)
      return context.printJson({
        url,
        urlFrom,
        apiKey: shown,
        apiKeyFrom: apiKeyFrom ?? null,
        file: { path: file.path, found: file.found },
      });
    await context.out.line(`url      ${url} (${urlFrom})`);
    await context.out.line(`api key  ${shown === null ? 'none' : `${shown} (${apiKeyFrom})`}`);
    await context.out.line(`file     ${file.path}${file.found ? '' : ' (not there)'}`);
  });
}

async function printEnvironment(context: Context): Promise<void> {
  if (context.json) throw new UsageError('--env is for the shell: leave out --json, which has --show-key.');
  const { url, apiKey } = context.config;
  if (apiKey === undefined) context.note('There is no API key: `runlet login` stores one.');
  const key = apiKey === undefined ? '' : ` RUNLET_API_KEY=${quoted(apiKey)}`;
  await context.out.line(`export RUNLET_URL=${quoted(url)}${key}`);
}
