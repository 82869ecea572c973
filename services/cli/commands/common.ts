import type { Command } from 'commander';

/**
 * Added to the program and to each command, so that these options may stand before or after the command's name. A
 * command whose `-q` means something else passes its own flags for `--quiet`.
 */
export function addCommonOptions(command: Command, quiet = '-q, --quiet'): Command {
  return command
    .option(
      '--url <address>',
      'address of the server (else RUNLET_URL, the config file, http://127.0.0.1:8080)',
    )
    .option('--api-key <key>', 'API key; others on this machine may see it here, so prefer RUNLET_API_KEY')
    .option('--json', 'print JSON on stdout, and errors as problem JSON on stderr')
    .option(quiet, 'no progress and no notes on stderr');
}

/** The examples at the end of a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
}
