import { ConnectionError } from '../errors.ts';

type Cause = { code: string; text: string };

/** Explains in the user's words why there was no answer. */
export function connectionError(error: unknown, url: string): ConnectionError {
  const cause = rootCause(error);
  const fault = addressFault(cause, url);
  return new ConnectionError(fault ?? explain(cause, url), { cause: error, isFinal: fault !== undefined });
}

/** What is wrong with the address, where no answer can ever come from it. */
function addressFault(cause: Cause, url: string): string | undefined {
  if (/^(?:wrong version number|packet length too long)$/.test(tlsFault(cause) ?? ''))
    return `${new URL(url).host} speaks plain HTTP, not HTTPS. Use ${url.replace(/^https/i, 'http')} in --url, RUNLET_URL or \`runlet login\`.`;
  return undefined;
}

/** What OpenSSL says of a handshake: "…:SSL routines:some_function:wrong version number:…" among places in its source. */
const tlsFault = ({ code, text }: Cause): string | undefined =>
  code === 'EPROTO' ? /:SSL routines:[^:]*:([^:]+):/.exec(text)?.[1] : undefined;

function explain(cause: Cause, url: string): string {
  const { code, text } = cause;
  switch (code) {
    case 'ECONNREFUSED':
      return `Nothing answers at ${url}. Start Runlet there (npm start), or name its address with --url or RUNLET_URL.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host of ${url} is not known. Check the address in --url, RUNLET_URL or \`runlet config\`.`;
    case 'ABORT_ERR':
    case 'ETIMEDOUT':
      return `${url} did not answer in time. Check the address and the network between.`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `The certificate of ${url} is not trusted (${code}). Name its authority with NODE_EXTRA_CA_CERTS.`;
    default:
      return `The connection to ${url} failed: ${tlsFault(cause) ?? text}. Check the address in --url, RUNLET_URL or \`runlet config\`.`;
  }
}

/** The innermost cause of an error of an exchange. `ABORT_ERR` for every kind of timeout. */
export function rootCause(error: unknown): Cause {
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
