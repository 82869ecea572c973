import { parsePair } from './pairs.ts';

export type EnvironmentSource = Readonly<Record<string, string | undefined>>;
export type ParsedEnvironment = { env: Record<string, string>; missing: string[] };

/** One `-e`, or one line of an `--env-file`: `K=V`, or only `K` to pass on the caller's own value. */
function parseEntry(entry: string, own: EnvironmentSource): [name: string, value: string | undefined] {
  const name = entry.split('=', 1)[0] ?? '';
  if (name === '')
    throw new Error(`-e ${entry}: the name is missing. Give a variable as NAME=VALUE or NAME.`);
  if (/\s/.test(name))
    throw new Error(`-e '${entry}': the name "${name}" has a space in it. Give a variable as NAME=VALUE.`);
  return entry.includes('=') ? parsePair(entry) : [entry, own[entry]];
}

/**
 * The rules of `docker run --env-file`: one variable on each line, `#` at the start of a line begins a comment, no
 * quotes, no expansion. A value goes to the end of the line. So a file written for Docker means the same here.
 */
export function parseEnvFile(text: string): string[] {
  const entries: string[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const line = raw.replace(/\r$/, '').trimStart();
    if (line.trim() === '' || line.startsWith('#')) continue;
    const name = line.split('=', 1)[0] ?? '';
    if (name === '' || /\s/.test(name.trimEnd()) || (line.includes('=') && /\s$/.test(name)))
      throw new Error(`line ${index + 1}: a variable's name is missing or has a space in it`);
    entries.push(line.includes('=') ? line : name.trimEnd());
  }
  return entries;
}

/** Later entries win, as with Docker: pass the files' entries first, then those of `-e`. */
export function collectEnvironment(entries: readonly string[], own: EnvironmentSource): ParsedEnvironment {
  const env: Record<string, string> = {};
  const missing: string[] = [];
  for (const entry of entries) {
    const [name, value] = parseEntry(entry, own);
    if (value === undefined) missing.push(name);
    else Object.defineProperty(env, name, { value, enumerable: true, writable: true, configurable: true });
  }
  return { env, missing };
}
