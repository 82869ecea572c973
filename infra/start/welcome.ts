import type { EnginePart } from './engine-part.ts';
import type { ApiKey } from './keys.ts';
import type { Settings } from './settings.ts';

/** What the user reads when Runlet is ready: its address, the key, and two lines to paste. */
export function welcome(settings: Settings, key: ApiKey, engine: EnginePart, tookMs: number): string {
  const lines = [
    '',
    `Runlet is ready at ${settings.url} (${(tookMs / 1_000).toFixed(1)} s)`,
    `  Engine   ${engine.dockerHost}${engine.isOwn ? ' (started by Runlet)' : ''}`,
    ...(engine.registry === undefined
      ? []
      : [`  Images   embedded registry at ${engine.registry}; more: npm run images`]),
    `  Data     ${settings.dataDir} (logs in ${settings.dataDir}/logs)`,
    `  Page     ${settings.url}/ (what this is; the API’s documentation at ${settings.url}/docs)`,
    `  API key  ${keyLine(key)}`,
    '',
    'Try it:',
    `  ${curlLine(settings, key)}`,
    '  runlet run hello-world',
    '',
    'Ctrl-C stops it.',
  ];
  if (!engine.online && engine.registry === undefined) {
    lines.splice(
      -2,
      0,
      'No public registry can be reached from here, and this Engine is not Runlet’s to configure: it runs the images that',
      'it has. `npm run images -- hello-world busybox` builds two from Debian’s packages and puts them into it.',
      '',
    );
  }
  return lines.join('\n');
}

function keyLine(key: ApiKey): string {
  if (key.isRefused)
    return `the one in ${key.file ?? 'RUNLET_API_KEY'} was taken back and opens nothing: take another one (runlet login)`;
  if (key.file === undefined) return 'the one in RUNLET_API_KEY';
  if (key.isNew) return `${key.key}  (shown once; kept for the CLI in ${key.file})`;
  return `kept in ${key.file}`;
}

function curlLine(settings: Settings, key: ApiKey): string {
  return (
    `curl -s ${settings.url}/v1/runs -H "Authorization: Bearer ${keyForShell(key)}" -H 'Prefer: wait=30' ` +
    `-H 'Content-Type: application/json' -d '{"image":"hello-world"}'`
  );
}

/** The key is printed in full only when it is new, since secrets should not stay in a terminal's history. */
function keyForShell(key: ApiKey): string {
  if (key.file === undefined) return '$RUNLET_API_KEY';
  if (key.isNew) return key.key;
  return `$(sed -n 's/.*"apiKey": *"\\([^"]*\\)".*/\\1/p' '${key.file}')`;
}
