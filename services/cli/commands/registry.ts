import type { Command } from 'commander';
import { secretFromStdin } from '../config/ask-secret.ts';
import { openContext, type Streams } from '../context.ts';
import { UsageError } from '../errors.ts';
import { registryPath } from '../http/paths.ts';
import { addCommonOptions, examples } from './common.ts';

type LoginOptions = { username: string; passwordStdin?: boolean };

export function add(registry: Command, streams: Streams): void {
  registry.addHelpText('after', examples('runlet registry login --help', 'runlet registry logout --help'));
  addLogin(registry, streams);
  addLogout(registry, streams);
}

function addLogin(registry: Command, streams: Streams): void {
  const login = registry
    .command('login')
    .description('store credentials; the server seals them and never shows them again')
    .argument('<host>', 'the registry’s host, with its port if it has one')
    .requiredOption('-u, --username <name>', 'user name')
    .option('--password-stdin', 'read the password or token from stdin')
    .addHelpText(
      'after',
      examples('runlet registry login registry.example.com -u me --password-stdin < token.txt'),
    );
  addCommonOptions(login).action(async (host: string, options: LoginOptions) => {
    const context = openContext(login, streams);
    // A password on the command line would stay in the shell's history and be visible in the process list.
    if (!options.passwordStdin) throw new UsageError('Give the password on stdin, with --password-stdin.');
    const password = await secretFromStdin();
    if (password === '') throw new UsageError('The password on stdin is empty.');
    await context.api.json({
      method: 'PUT',
      path: registryPath(host),
      body: { username: options.username, password },
    });
    await (context.json
      ? context.printJson({ host })
      : context.out.line(`Credentials for ${host} are stored.`));
  });
}

function addLogout(registry: Command, streams: Streams): void {
  const logout = registry
    .command('logout')
    .description('forget stored credentials')
    .argument('<host>', 'the registry’s host, with its port if it has one')
    .addHelpText('after', examples('runlet registry logout registry.example.com'));
  addCommonOptions(logout).action(async (host: string) => {
    const context = openContext(logout, streams);
    await context.api.json({ method: 'DELETE', path: registryPath(host) });
    await (context.json
      ? context.printJson({ host })
      : context.out.line(`Credentials for ${host} are forgotten.`));
  });
}
