import { ConnectionError } from '../errors.ts';

/** Explains in the user's words what `fetch` only calls "fetch failed". */
export function connectionError(error: unknown, url: string): ConnectionError {
  return new ConnectionError(explain(error, url), { cause: error });
}

function explain(error: unknown, url: string): string {
  const { code, text } = rootCause(error);
  switch (code) {
    case 'ECONNREFUSED':
      return `Nothing answers at ${url}. Start Runlet there (npm start), or name its address with --url or RUNLET_URL.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host of ${url} is not known. Check the address in --url, RUNLET_URL or \`runlet config\`.`;
    case 'ABORT_ERR':
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'UND_ERR_HEADERS_TIMEOUT':
      return `${url} did not answer in time. Check the address and the network between.`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `The certificate of ${url} is not trusted (${code}). Name its authority with NODE_EXTRA_CA_CERTS.`;
    default:
      return `The connection to ${url} failed: ${text}. Try \`runlet doctor\`.`;
  }
}

/** The innermost cause of an error of `fetch`. `ABORT_ERR` for every kind of timeout. */
export function rootCause(error: unknown): { code: string; text: string } {
  let current = error;
  while (current instanceof Error && current.cause !== undefined) current = current.cause;
  // For a host with several addresses there is one error for each address.
  if (current instanceof AggregateError) current = current.errors[0] ?? current;
  if (!(current instanceof Error)) return { code: '', text: String(current) };
  const code = (current as NodeJS.ErrnoException).code;
  if (current.name === 'TimeoutError' || current.name === 'AbortError')
    return { code: 'ABORT_ERR', text: current.message };
  return { code: typeof code === 'string' ? code : '', text: current.message };
}
