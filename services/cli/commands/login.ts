import type { Command } from 'commander';
import { askSecret, secretFromStdin } from '../config/ask-secret.ts';
import { writeUserFile } from '../config/write-user-file.ts';
import { openContext, type Streams } from '../context.ts';
import { ApiError, UsageError } from '../errors.ts';
import { ApiClient } from '../http/api-client.ts';
import { addCommonOptions, examples } from './common.ts';

export function add(command: Command, streams: Streams): void {
  command
    .option('--key-stdin', 'read the key from stdin instead of asking for it')
    .addHelpText(
      'after',
      examples(
        'runlet login',
        'runlet login --url https://runlet.example.com',
        'runlet keys add laptop | ssh laptop runlet login --url https://runlet.example.com --key-stdin',
      ),
    );
  addCommonOptions(command).action(async ({ keyStdin }: { keyStdin?: boolean }) => {
    const context = openContext(command, streams);
    const { url, file } = context.config;
    const said = keyStdin ? await secretFromStdin() : await askSecret(`API key for ${url}: `, context.err);
    const apiKey = said.trim();
    if (apiKey === '') throw new UsageError('The key is empty: nothing was stored.');
    if (!/^[\x21-\x7e]{1,1024}$/.test(apiKey))
      throw new UsageError(
        'This is no key: it holds spaces, or characters that no key has. Nothing was stored.',
      );
    const api = new ApiClient(url, apiKey, context.note);
    const role = await roleOf(api).catch((error) => {
      throw refused(error, url);
    });
    const version = await versionOf(api);
    writeUserFile(file.path, { url, apiKey });
    if (context.json) await context.printJson({ url, role, version, file: file.path });
    else
      await context.out.line(
        `Stored in ${file.path}: ${url}, Runlet ${version ?? 'of an unknown version'}, key of ${role === 'admin' ? 'an admin' : 'a member'}.`,
      );
    for (const name of ['RUNLET_URL', 'RUNLET_API_KEY'])
      if (process.env[name]) context.note(`${name} is set in this shell, and wins over what is stored.`);
  });
}

/** Throws if the server does not accept the key. */
async function roleOf(api: ApiClient): Promise<'admin' | 'member'> {
  await api.json({ path: '/v1/runs?limit=1' });
  try {
    await api.json({ path: '/v1/keys?limit=1' });
    return 'admin';
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 403) return 'member';
    throw error;
  }
}

/** The key was typed a moment ago, so where it comes from is no question. */
function refused(error: unknown, url: string): unknown {
  if (!(error instanceof ApiError) || error.problem.code !== 'unauthorized') return error;
  const detail = `${url} does not know this key. Nothing was stored. \`runlet keys add\`, by an admin, makes a new one.`;
  return new ApiError({ ...error.problem, detail });
}

/** The version from the server's own API document. */
async function versionOf(api: ApiClient): Promise<string | undefined> {
  try {
    const { info } = await api.json<{ info?: { version?: string } }>({ path: '/openapi.json' });
    return info?.version;
  } catch {
    return undefined;
  }
}
