import { readFile } from 'node:fs/promises';

type Rule = { names: string[]; comment?: string };
type Profile = { syscalls: Rule[] };

const folder = new URL('../../../infra/seccomp/', import.meta.url);
const read = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(new URL(name, folder), 'utf8')) as T;

/** The system calls that a run's programs may use, in the engine's format. */
export const runSeccompProfile = async (): Promise<string> => asSent(await read<Profile>('profile.json'));

/**
 * The same for services: a run's profile, where infra/seccomp/services.json replaces the rules of the calls that it
 * names.
 */
export async function serviceSeccompProfile(): Promise<string> {
  const [profile, rules] = await Promise.all([read<Profile>('profile.json'), read<Rule[]>('services.json')]);
  const replaced = new Set(rules.flatMap(({ names }) => names));
  const kept = profile.syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !replaced.has(name)) }))
    .filter(({ names }) => names.length > 0);
  return asSent({ ...profile, syscalls: [...kept, ...rules] });
}

/**
 * Removes the comments and the white space; a third of the bytes is left. The engine keeps the text with each
 * container, and writes and parses it again at every change of its state.
 */
function asSent(profile: Profile): string {
  return JSON.stringify({ ...profile, syscalls: profile.syscalls.map(({ comment: _, ...rule }) => rule) });
}
