/**
 * Every code that an error can have, with its HTTP status and title. The codes that end a run (`error.code`) and those that
 * answer a request are in one closed set, so that a client needs only one table.
 */
const catalogue = {
  // What is not an HTTP request, or can be read in more than one way.
  bad_request: [400, 'This is no request of HTTP/1.1'],
  request_timeout: [408, 'The request did not come in time'],
  range_not_satisfiable: [416, 'There is no such range'],
  expectation_failed: [417, 'This expectation is not met here'],
  headers_too_large: [431, 'The head of the request is too large'],
  http_version_not_supported: [505, 'Only HTTP/1.1 is spoken here'],
  // Faults of the request.
  validation_failed: [400, 'The request is not valid'],
  invalid_json: [400, 'The body is not valid JSON'],
  unauthorized: [401, 'An API key is required'],
  forbidden: [403, 'The operator does not allow this'],
  not_found: [404, 'Nothing was found under this id'],
  method_not_allowed: [405, 'This method is not allowed here'],
  conflict: [409, 'This is not possible in the present state'],
  idempotency_in_progress: [409, 'The first request with this Idempotency-Key is still in progress'],
  payload_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body must be JSON'],
  idempotency_mismatch: [422, 'This Idempotency-Key was used with another body'],
  upgrade_required: [426, 'This is a WebSocket'],
  quota_exceeded: [429, 'The tenant is over its quota'],
  // Faults of Runlet itself.
  internal: [500, 'Something went wrong on our side'],
  overloaded: [503, 'The system is full'],
  store_unavailable: [503, 'The store cannot be reached'],
  no_worker: [503, 'No worker is available'],
  // Reasons why a run ended without being carried out.
  image_not_found: [404, 'The image does not exist'],
  registry_auth: [403, 'The registry refused the credentials'],
  registry_unavailable: [502, 'The registry cannot be reached'],
  registry_not_allowed: [403, 'The operator does not allow this registry'],
  pull_timeout: [504, 'The image could not be pulled in time'],
  pull_failed: [502, 'The image could not be pulled'],
  image_not_present: [404, 'The image is not present on the worker'],
  platform_mismatch: [422, 'The image is for another platform'],
  command_not_found: [422, 'The command does not exist in the image'],
  command_not_executable: [422, 'The command cannot be executed'],
  image_without_command: [422, 'There is no command to run'],
  language_unavailable: [422, 'The worker does not have this language'],
  isolation_unavailable: [422, 'The engine does not have this isolation'],
  egress_unavailable: [422, 'The worker cannot give access to the network'],
  insufficient_capacity: [422, 'No worker is large enough'],
  start_failed: [422, 'The container could not be started'],
  worker_lost: [500, 'The worker was lost'],
  container_lost: [500, 'The container was lost'],
  engine_unavailable: [503, 'The engine cannot be reached'],
  wall_limit: [422, 'The run took longer than its time limit'],
  cpu_limit: [422, 'The run used more CPU time than its limit'],
  output_limit: [422, 'The run wrote more output than its limit'],
  memory_limit: [422, 'The run needed more memory than its limit'],
  kernel_memory_limit: [422, 'The kernel held more for the run than any run may have it hold'],
  disk_limit: [422, 'More was written to the disk than its limit allows'],
  artifact_limit: [422, 'Not all artifacts were kept'],
  // Reasons why a service does not answer.
  service_crashed: [503, 'The service ended by itself'],
  service_not_ready: [503, 'The service is not ready'],
  service_stopped: [503, 'The service is stopped'],
  service_unreachable: [502, 'The service could not be reached'],
  service_timeout: [504, 'The service did not answer in time'],
  node_lost: [503, 'The node that had the service is gone'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof catalogue;
export const problemCodes = Object.keys(catalogue) as ProblemCode[];

/** One field that is not valid, and why. */
export type ProblemIssue = { path: string; message: string };

export type ProblemKind = { code: ProblemCode; status: number; title: string };

/** The whole set, in its order. */
export const problemKinds: readonly ProblemKind[] = Object.entries(catalogue).map(
  ([code, [status, title]]) => ({ code: code as ProblemCode, status, title }),
);

/** An error that may be shown to the user unchanged (RFC 9457). Its `detail` says what to do next. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly issues: ProblemIssue[] | undefined;
  /** After this many seconds it makes sense to try again. Sent as `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;

  /** Where it says more than that of the code. */
  readonly #title: string | undefined;

  constructor(
    code: ProblemCode,
    detail: string,
    more: { issues?: ProblemIssue[]; retryAfterSeconds?: number; cause?: unknown; title?: string } = {},
  ) {
    super(detail, { cause: more.cause });
    this.code = code;
    this.issues = more.issues;
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.#title = more.title;
  }

  /** A problem that came from another program. */
  static fromBody({
    code,
    detail,
    errors,
  }: {
    code: string;
    detail: string;
    errors?: ProblemIssue[] | undefined;
  }): Problem {
    const known = (Object.hasOwn(catalogue, code) ? code : 'internal') as ProblemCode;
    return new Problem(known, detail, errors === undefined ? {} : { issues: errors });
  }

  get status(): number {
    return catalogue[this.code][0];
  }

  toBody() {
    const [status, title] = catalogue[this.code];
    return {
      type: `https://runlet.dev/problems/${this.code}`,
      title: this.#title ?? title,
      status,
      detail: this.message,
      code: this.code,
      ...(this.issues && { errors: this.issues }),
      // The page that every gateway has on it.
      links: { documentation: `/docs/problems/${this.code}` },
    };
  }
}

/** The problem for a request with one bad field. */
export function badField(path: string, message: string): Problem {
  return new Problem('validation_failed', `${path}: ${message}`, { issues: [{ path, message }] });
}
