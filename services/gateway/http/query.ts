import { z } from 'zod';
import { badField } from '../../../shared/problems.ts';

/**
 * The query as an object; `metadata.k=v` becomes an entry of `metadata`. A name that stands twice is refused: which
 * of the two was meant cannot be known.
 */
export function queryObject(url: string): Record<string, unknown> {
  const at = url.indexOf('?');
  const plain = new Map<string, unknown>();
  if (at < 0) return {};
  const metadata = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(url.slice(at + 1))) {
    const key = name.startsWith('metadata.') ? name.slice('metadata.'.length) : undefined;
    const seen = key === undefined ? plain.has(name) : metadata.has(key);
    // Parsers after this one drop the name without a word, and the filter with it.
    if (key === '__proto__') throw badField(name, 'is not a known query parameter');
    if (seen) throw badField(name.slice(0, 256), 'stands more than once in the query');
    if (key === undefined) plain.set(name, value);
    else metadata.set(key, value);
  }
  if (metadata.size > 0) plain.set('metadata', Object.fromEntries(metadata));
  return Object.fromEntries(plain);
}

/** `?limit=` and `?cursor=` of every list (API.md). */
export const pageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'must be a whole number from 1 to 100')
    .transform(Number)
    .pipe(z.int().min(1, 'must be at least 1').max(100, 'must be at most 100'))
    .default(20)
    .openapi({
      type: 'integer',
      minimum: 1,
      maximum: 100,
      default: 20,
      description: 'Entries a page, at most.',
    }),
  cursor: z
    .string()
    .max(512)
    .optional()
    .meta({ description: 'The `nextCursor` of the page before. Opaque: do not make one.' }),
});

export type PageQuery = z.output<typeof pageQuery>;

/** A query parameter with one of these values, or several with commas between. */
export function oneOrMoreOf<T extends string>(values: readonly T[], description: string, example: string) {
  const known = new Set<string>(values);
  return z
    .string()
    .max(256)
    .transform((text) => text.split(','))
    .refine((all) => all.every((one) => known.has(one)), `must be one or more of ${values.join(', ')}`)
    .optional()
    .openapi({ type: 'string', description, example });
}

const tag = 'c1:';

/** Opaque to clients: only its round trip is promised. */
export function encodeCursor(position: string): string {
  return Buffer.from(tag + position).toString('base64url');
}

/** The position that a cursor stands for. */
export function decodeCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!text.startsWith(tag) || encodeCursor(text.slice(tag.length)) !== cursor)
    throw badField('cursor', 'is not a cursor of this list: pass on `nextCursor` as it is, or leave it out');
  return text.slice(tag.length);
}

/** One page of a list that is held whole, in the order of its keys. */
export function paginate<T>(items: T[], keyOf: (item: T) => string, query: PageQuery) {
  const after = decodeCursor(query.cursor);
  const sorted = items
    .map((item) => ({ key: keyOf(item), item }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .filter(({ key }) => after === undefined || key > after);
  const page = sorted.slice(0, query.limit);
  const last = page.at(-1);
  return {
    data: page.map(({ item }) => item),
    nextCursor: sorted.length > page.length && last !== undefined ? encodeCursor(last.key) : null,
  };
}
