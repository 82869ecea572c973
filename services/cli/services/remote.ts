import { servicePath } from '../http/paths.ts';

/** A path in a service, without the slash at its start. */
export type Remote = { name: string; path: string };

/** `NAME:/PATH` is a path in a service. Anything else is a local path. */
export function remoteOf(text: string): Remote | undefined {
  const [, name, path] = /^([a-z0-9][a-z0-9_-]*):\/+(.*)$/.exec(text) ?? [];
  return name === undefined || path === undefined ? undefined : { name, path };
}

/** Where the API has a file of a service. */
export const filePath = ({ name, path }: Remote): string =>
  servicePath(name, `/files/${path.split('/').map(encodeURIComponent).join('/')}`);

/** A service that is not ready yet is waited for, as long as `runlet up` waits. */
export const copyWaitMs = 60_000;

/** Files that are on their way at once. A worker moves eight at once, for everybody. */
const copiesAtOnce = 4;

/** Does it for each, a few at once. The first failure ends it. */
export async function eachOf<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const work = async () => {
    for (const item of left) await act(item);
  };
  await Promise.all(Array.from({ length: copiesAtOnce }, work));
}
