/** Only the fields that have a value. A field that was not given is left out of the request, and the server decides. */
export function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** A list or an object with nothing in it counts as not given. */
export function unlessEmpty<T extends object>(fields: T): T | undefined {
  return Object.keys(fields).length > 0 ? fields : undefined;
}

/** `--entrypoint ""` removes the image's entrypoint, as with Docker. */
export const entrypointOf = (option: string | undefined): string[] | undefined =>
  option === undefined ? undefined : option === '' ? [] : [option];
