import { readFile } from 'node:fs/promises';

type Rule = { names: string[]; comment?: string };
type Profile = { syscalls: Rule[] };

const folder = new URL('../../../infra/seccomp/', import.meta.url);
const read = async <T>(name: string): Promise<T> =>
  JSON.parse(await readFile(new URL(name, folder), 'utf8')) as T;

/** What programs of a run may ask of the kernel, as the engine takes it. */
export const runSeccompProfile = async (): Promise<string> => asSent(await read<Profile>('profile.json'));

/** The same for services: beside what a run may, what infra/seccomp/services.json says, in the place of a run's rules for those calls. */
export async function serviceSeccompProfile(): Promise<string> {
  const [profile, rules] = await Promise.all([read<Profile>('profile.json'), read<Rule[]>('services.json')]);
  const replaced = new Set(rules.flatMap(({ names }) => names));
  const kept = profile.syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !replaced.has(name)) }))
    .filter(({ names }) => names.length > 0);
  return asSent({ ...profile, syscalls: [...kept, ...rules] });
}

/**
 * Without the comments and the white space, a third of the bytes: the engine keeps the text with each container, and writes and
 * parses it again at every change of its state.
 */
function asSent(profile: Profile): string {
  return JSON.stringify({ ...profile, syscalls: profile.syscalls.map(({ comment: _, ...rule }) => rule) });
}
