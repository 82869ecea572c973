import { cookieOfHost } from './cookies.ts';
import { isOfEdge } from './http1/field-kinds.ts';

/**
 * A service that is reached by its name has an origin of its own, and may set any field of it. Not those about the server of the connection:
 * we are that server, and what browsers remember of it (Alt-Svc for up to years, NEL with reports of every failure) outlives the service, whose
 * name may belong to another service tomorrow. Its cookies do not go to other services either.
 *
 * @param host as the client asked for it
 */
export function ofHost(fields: readonly string[], host: string): readonly string[] {
  let kept: string[] | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    const lower = name.toLowerCase();
    const passed = isOfEdge(lower) ? undefined : lower === 'set-cookie' ? cookieOfHost(value, host) : value;
    if (passed === value) {
      kept?.push(name, value);
      continue;
    }
    kept ??= fields.slice(0, i);
    if (passed !== undefined) kept.push(name, passed);
  }
  return kept ?? fields;
}
