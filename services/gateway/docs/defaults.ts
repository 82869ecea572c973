type Schema = Record<string, unknown>;

const isObject = (node: unknown): node is Schema =>
  typeof node === 'object' && node !== null && !Array.isArray(node);

/** Keywords whose value is a schema, or a list of schemas. */
const inner = new Set(['items', 'additionalProperties', 'allOf', 'anyOf', 'oneOf', 'not']);

/**
 * The schema with each default as a sentence of its description. As a keyword, generators take it for more than it says: to some
 * the field is required, others send it with each request, and so undo the defaults that depend on other fields.
 */
export function defaultsInWords(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(defaultsInWords);
  if (!isObject(schema)) return schema;
  const { default: preset, ...rest } = schema;
  const all = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => {
      if (inner.has(key)) return [key, defaultsInWords(value)];
      if (key !== 'properties') return [key, value];
      const fields = Object.entries(value as Schema).map(([name, field]) => [name, defaultsInWords(field)]);
      return [key, Object.fromEntries(fields)];
    }),
  );
  return preset === undefined ? all : { ...all, description: withDefault(rest.description, preset) };
}

/** A description that tells of the default by itself says it better. */
function withDefault(description: unknown, preset: unknown): string {
  const sentence = `Default: \`${JSON.stringify(preset)}\`.`;
  if (typeof description !== 'string') return sentence;
  return /\b(?:default|absent)\b/i.test(description) ? description : `${description} ${sentence}`;
}
