import { parseImageReference } from '../../../../shared/images.ts';
import { Problem } from '../../../../shared/problems.ts';
import { oneLine } from './errors.ts';

/** Failures of registries, by the words in which dockerd (with graph drivers, and with the containerd store) reports them. */
const wordings = {
  platform:
    /no matching manifest|no match for platform|does not match the specified platform|operating system .* cannot be used on this platform/i,
  rateLimit: /toomanyrequests|too many requests|rate limit/i,
  badCredentials:
    /incorrect username or password|unauthorized: authentication required|no basic auth credentials|401 unauthorized|failed to authorize|status 401/i,
  missing:
    /manifest unknown|name unknown|manifest for .* not found|repository .* not found|not found: does not exist|:\s*not found\s*$/i,
  denied:
    /pull access denied|requested access to the resource is denied|insufficient_scope|\bdenied\b|unauthorized|forbidden/i,
  unreachable:
    /connection refused|no such host|i\/o timeout|timeout|timed out|deadline exceeded|unreachable|no route to host|server misbehaving|connection reset|broken pipe|\bEOF\b|x509|certificate|tls:|HTTP response to HTTPS client|(?:unexpected (?:http )?status\b.*|HTTP status: )5\d\d|service unavailable|bad gateway|internal server error|proxyconnect|request canceled|temporary failure in name resolution/i,
  full: /no space left on device|disk quota exceeded/i,
};

/** Why a registry was not reached, by the words of engines and their libraries. */
const failures: [RegExp, string][] = [
  [/no such host|name resolution|server misbehaving/i, 'its name has no address'],
  [
    /HTTP response to HTTPS client/i,
    'it speaks plain HTTP, which is no use to the engine unless it is among its "insecure-registries"',
  ],
  [/x509|certificate|tls: (?!handshake timeout)/i, 'the engine does not trust its certificate'],
  [/connection refused/i, 'it refuses the connection'],
  [/time(?:d )?\s?out|deadline exceeded/i, 'it does not answer in time'],
  [/5\d\d|service unavailable|bad gateway|internal server error/i, 'it failed itself'],
  [/proxyconnect/i, 'the engine’s proxy does not let it through'],
];

const failureIn = (said: string): string =>
  failures.find(([pattern]) => pattern.test(said))?.[1] ?? 'the connection failed';

/**
 * The engine's text on why a pull failed → the Problem with which the run ends. The text contains the registry's answer, and where that led
 * the engine: none of it is passed on.
 */
export function pullProblem(
  reference: string,
  text: string,
  withCredentials: boolean,
  cause?: unknown,
): Problem {
  const said = oneLine(text);
  const registry = parseImageReference(reference)?.registry ?? 'the registry';
  const put = `PUT /v1/registries/${registry}`;
  const problem = (code: Problem['code'], detail: string) => new Problem(code, detail, { cause });

  if (wordings.platform.test(said))
    return problem(
      'platform_mismatch',
      `${reference} is not built for the worker’s platform. Name a tag or digest that is.`,
    );
  if (wordings.full.test(said))
    return problem('pull_failed', `The worker’s disk is full. Remove images or enlarge it.`);
  if (wordings.rateLimit.test(said))
    return problem(
      'registry_unavailable',
      `${registry} allows no more pulls for now. Try again later, or give it an account: ${put}.`,
    );
  if (wordings.badCredentials.test(said)) return refused(problem, reference, registry, put, withCredentials);
  if (wordings.missing.test(said))
    return problem(
      'image_not_found',
      `${registry} has no ${reference}. Check the spelling of the name and that this tag or digest exists.`,
    );
  if (wordings.denied.test(said)) {
    // Docker Hub gives the same answer for "does not exist" and "no access": only with credentials can one tell which.
    if (withCredentials || !/pull access denied|insufficient_scope|requested access/i.test(said))
      return refused(problem, reference, registry, put, withCredentials);
    return problem(
      'image_not_found',
      `${registry} has no ${reference}, or it is private. Check the spelling; for a private image store credentials first: ${put}.`,
    );
  }
  if (wordings.unreachable.test(said))
    return problem(
      'registry_unavailable',
      `The worker’s engine cannot reach ${registry}: ${failureIn(said)}. Check the registry’s name, and the worker’s network, DNS and proxy; then try again.`,
    );
  return problem(
    'pull_failed',
    `${reference} could not be pulled: the engine gave a reason that is not told here. See that ${registry} has this image whole; the worker’s log has the engine’s own words.`,
  );
}

function refused(
  problem: (code: Problem['code'], detail: string) => Problem,
  reference: string,
  registry: string,
  put: string,
  withCredentials: boolean,
): Problem {
  return withCredentials
    ? problem(
        'registry_auth',
        `${registry} refused the stored credentials for ${reference}. Check that the account may read it, and renew them: ${put}.`,
      )
    : problem('registry_auth', `${registry} wants credentials for ${reference}. Store them: ${put}.`);
}
