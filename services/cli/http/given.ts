/** The fields that have a value: what was not given is left out of a request, and is the server's to decide. */
export function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** A list or an object with nothing in it counts as not given. */
export function unlessEmpty<T extends object>(fields: T): T | undefined {
  return Object.keys(fields).length > 0 ? fields : undefined;
}

/** `--entrypoint ""` takes the image's away, as with Docker. */
export const entrypointOf = (option: string | undefined): string[] | undefined =>
  option === undefined ? undefined : option === '' ? [] : [option];
