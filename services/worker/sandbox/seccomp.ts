import { readFile } from 'node:fs/promises';

type Rule = { names: string[] };
type Profile = { syscalls: Rule[] };

const folder = new URL('../../../infra/seccomp/', import.meta.url);
const read = (name: string) => readFile(new URL(name, folder), 'utf8');

/** What programs of a run may ask of the kernel, as the engine takes it. */
export const runSeccompProfile = (): Promise<string> => read('profile.json');

/** The same for services: beside what a run may, what infra/seccomp/services.json says, in the place of a run's rules for those calls. */
export async function serviceSeccompProfile(): Promise<string> {
  const [profile, theirs] = await Promise.all([read('profile.json'), read('services.json')]);
  const { syscalls, ...rest } = JSON.parse(profile) as Profile;
  const rules = JSON.parse(theirs) as Rule[];
  const replaced = new Set(rules.flatMap(({ names }) => names));
  const kept = syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !replaced.has(name)) }))
    .filter(({ names }) => names.length > 0);
  return JSON.stringify({ ...rest, syscalls: [...kept, ...rules] });
}
