import { ApiError, ownProblem } from '../errors.ts';
import type { ApiClient } from '../http/api-client.ts';
import type { Page } from '../http/fetch-list.ts';
import type { Kind } from './kinds.ts';

type Entry = { id: string; name?: string };

/** In the place of an id: the newest of its kind. */
const newest = 'last';

/** An id needs this much of it at least, or a long list would be read to say that it fits to many. */
const leastDigits = 4;
const maxNamed = 5;

/**
 * The id of what the user means: a whole id, the beginning of one, or `last`. A whole id is not looked up. Ids are made
 * of the time, so the beginning of one is long, but nobody has to type its random end.
 */
export async function resolveId(api: ApiClient, kind: Kind, text: string): Promise<string> {
  if (isWhole(kind, text)) return text;
  if (text === newest) return newestOf(api, kind);
  const beginning = beginningOf(kind, text);
  if (beginning === undefined) throw noSuch(kind, text);
  return only(kind, text, await beginningWith(api, kind, beginning));
}

/** The same for services, whose names are known to the server. */
export async function resolveService(api: ApiClient, kind: Kind, text: string): Promise<string> {
  // No name has an underscore in it.
  if (text.startsWith(kind.prefix)) return resolveId(api, kind, text);
  if (text !== newest) return text;
  // The service may really be called so.
  const all = await entries(api, kind, () => false);
  return all.some(({ name }) => name === text) ? text : newestOf(api, kind);
}

/** The same where only the list tells names. Several may have one name. */
export async function resolveNamed(api: ApiClient, kind: Kind, text: string): Promise<string> {
  if (isWhole(kind, text)) return text;
  const all = await entries(api, kind, () => false);
  const byName = all.filter(({ id, name }) => name === text || id === text);
  if (byName.length > 0) return only(kind, text, byName);
  if (text === newest) return newestOf(api, kind);
  const beginning = beginningOf(kind, text);
  const found = all.filter(({ id }) => beginning !== undefined && id.startsWith(beginning));
  return only(kind, text, found);
}

const isWhole = ({ prefix }: Kind, text: string) =>
  text.startsWith(prefix) && /^[0-9a-f]{32}$/.test(text.slice(prefix.length));

/** With or without the prefix, as both are copied. */
function beginningOf({ prefix }: Kind, text: string): string | undefined {
  const digits = text.replace(/…$/, '').replace(new RegExp(`^${prefix}`), '');
  return /^[0-9a-f]*$/.test(digits) && digits.length >= leastDigits ? `${prefix}${digits}` : undefined;
}

async function beginningWith(api: ApiClient, kind: Kind, beginning: string): Promise<Entry[]> {
  const isPast = (id: string) => kind.newestFirst === true && id < beginning;
  return (await entries(api, kind, isPast)).filter(({ id }) => id.startsWith(beginning));
}

/** What is listed, until an id says that what follows is of no interest. */
async function entries(api: ApiClient, kind: Kind, isPast: (id: string) => boolean): Promise<Entry[]> {
  const all: Entry[] = [];
  let cursor: string | null = null;
  do {
    const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: Page<Entry> = await api.json<Page<Entry>>({ path: `${kind.path}?limit=100${after}` });
    all.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor !== null && !isPast(all.at(-1)?.id ?? ''));
  return all;
}

async function newestOf(api: ApiClient, kind: Kind): Promise<string> {
  const all: Entry[] =
    kind.newestFirst === true
      ? (await api.json<Page<Entry>>({ path: `${kind.path}?limit=1` })).data
      : await entries(api, kind, () => false);
  const id = all
    .map((one) => one.id)
    .sort()
    .at(-1);
  if (id !== undefined) return id;
  throw new ApiError(ownProblem('not_found', `There is no ${kind.noun}`, `\`${kind.listedBy}\` lists none.`));
}

function only(kind: Kind, text: string, found: readonly Entry[]): string {
  const [first] = found;
  if (first === undefined) throw noSuch(kind, text);
  if (found.length === 1) return first.id;
  const some = found.slice(0, maxNamed).map(({ id }) => id);
  const more = found.length > some.length ? ` and ${found.length - some.length} more` : '';
  const detail = `Which one is meant: ${some.join(', ')}${more}?`;
  throw new ApiError(ownProblem('conflict', `${text} can mean ${found.length} things`, detail));
}

const noSuch = (kind: Kind, text: string) =>
  new ApiError(
    ownProblem(
      'not_found',
      'Nothing was found under this id',
      `There is no ${kind.noun} ${text}: \`${kind.listedBy}\` lists them. The beginning of an id will do, from ${leastDigits} digits on, or \`${newest}\`.`,
    ),
  );
