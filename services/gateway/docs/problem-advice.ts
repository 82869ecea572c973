import type { ProblemCode } from '../../../shared/problems.ts';

/** For each code: what it means, and what to do about it. Read by people who have just met it. */
export const problemAdvice: Record<ProblemCode, { means: string; remedy: string }> = {
  bad_request: {
    means: 'What came is not a request of HTTP/1.1, or it can be read in more than one way.',
    remedy:
      'Use an HTTP client or library that is up to date. If a proxy stands between, look at what it makes of the request.',
  },
  request_timeout: {
    means: 'The request, or its body, took too long to come.',
    remedy: 'Send it again. Send large bodies over a faster line, or in smaller requests.',
  },
  range_not_satisfiable: {
    means: 'The range of bytes that was asked for begins after the last byte.',
    remedy:
      '`Content-Range` in the answer says how many bytes there are. Ask for some of them, or leave `Range` out.',
  },
  expectation_failed: {
    means: 'The field `Expect` asks for something other than `100-continue`.',
    remedy: 'Leave the field out.',
  },
  headers_too_large: {
    means: 'The first line and the fields of the request are too long together.',
    remedy: 'Send fewer or shorter fields. Often the cookies are the cause.',
  },
  http_version_not_supported: {
    means: 'The request is of another version of HTTP.',
    remedy: 'Speak HTTP/1.1. Put a proxy in front for HTTP/2 and HTTP/3.',
  },
  validation_failed: {
    means: 'A field, a parameter or an id is not as it must be. Nothing was done.',
    remedy: '`errors` names each fault by its field. Correct these and send the request again.',
  },
  invalid_json: {
    means: 'The body is empty, is not JSON, or is not UTF-8.',
    remedy:
      'Look at quotes, commas and braces near the position that `detail` names. In a shell, put the JSON in single quotes.',
  },
  unauthorized: {
    means: 'No API key was sent, or it is not known, was taken back, or has expired.',
    remedy:
      'Send a key as `Authorization: Bearer KEY`. The first start of Runlet prints one; an administrator makes more with `runlet keys add`.',
  },
  forbidden: {
    means: 'The key is known, but its role or the operator does not allow this.',
    remedy: 'Use a key with the role `admin`, or ask the operator. `detail` says what is missing.',
  },
  not_found: {
    means:
      'There is nothing under this id, name or address. What belongs to somebody else is not found either.',
    remedy: 'Look for a typing error. Ended runs are forgotten after a time: see the list of what there is.',
  },
  method_not_allowed: {
    means: 'The address is right, the method is not.',
    remedy: 'Use a method that the field `Allow` in the answer names.',
  },
  conflict: {
    means: 'It is not possible in the state that this is in now.',
    remedy: '`detail` says what stands in the way: wait for it, or stop or remove it first.',
  },
  idempotency_in_progress: {
    means: 'The first request with this Idempotency-Key has not been answered yet.',
    remedy: 'Wait a moment and send the same request again: it gets the first one’s answer.',
  },
  payload_too_large: {
    means: 'The body is larger than the operator allows.',
    remedy:
      'Send less: fewer or smaller files, or an image that has them. The operator can raise `RUNLET_MAX_BODY_BYTES`.',
  },
  unsupported_media_type: {
    means: 'The body is not JSON, does not say that it is, or is compressed.',
    remedy: 'Send JSON with `Content-Type: application/json` and without `Content-Encoding`.',
  },
  idempotency_mismatch: {
    means: 'This Idempotency-Key was used before, with another body.',
    remedy: 'Use a new key for each new request. Send the same body to try the same request again.',
  },
  upgrade_required: {
    means: 'This address speaks over a WebSocket.',
    remedy:
      'Connect with a client for WebSockets, or use `runlet attach`. To read only, follow the run’s `/events`.',
  },
  quota_exceeded: {
    means: 'Your tenant has as much as it may have at once.',
    remedy:
      'Wait as long as `Retry-After` says, or end or delete something. The operator can raise the quota.',
  },
  internal: {
    means: 'Something went wrong in Runlet itself.',
    remedy:
      'Try again. If it stays so, tell the operator the `X-Request-Id` of the answer: the log has the cause.',
  },
  overloaded: {
    means: 'The system has no room for more at present.',
    remedy: 'Wait as long as `Retry-After` says and send it again. The operator can add workers or memory.',
  },
  store_unavailable: {
    means: 'Redis cannot be reached, so nothing can be stored or read.',
    remedy: 'Try again in some seconds. The operator looks whether Redis runs: `runlet doctor`.',
  },
  no_worker: {
    means: 'No worker is alive that could take it.',
    remedy: 'The operator starts a worker. `runlet workers` lists those that live.',
  },
  image_not_found: {
    means: 'No registry that was asked has this image or tag.',
    remedy:
      'Look at the spelling and the tag. For a private image, give its registry’s login: `runlet registry login`.',
  },
  registry_auth: {
    means: 'The registry wants another login, or none was given.',
    remedy:
      'Give a valid login with `runlet registry login HOST`. Some registries answer so for images that do not exist.',
  },
  registry_unavailable: {
    means: 'The registry does not answer, or answers with an error.',
    remedy:
      'Try again later. Without access to the Internet, build the image with `npm run images`, or push it to your own registry.',
  },
  registry_not_allowed: {
    means: 'The operator does not allow images from this registry.',
    remedy:
      'Use an image from an allowed one. The operator sets `RUNLET_REGISTRIES` and `RUNLET_REGISTRY_ALLOW`.',
  },
  pull_timeout: {
    means: 'The image could not be fetched in the time for it.',
    remedy:
      'Try again: what was fetched is kept. Use a smaller image, or have the operator raise `RUNLET_PULL_TIMEOUT_MS`.',
  },
  pull_failed: {
    means: 'The image was found, but could not be fetched or unpacked.',
    remedy: 'Try again. If it stays so, the worker’s disk may be full, or the image broken: `runlet doctor`.',
  },
  image_not_present: {
    means:
      'The request says that nothing is to be pulled (`pull`: `never`), and the worker does not have the image.',
    remedy: 'Pull it first with `runlet pull IMAGE`, or leave `pull` out.',
  },
  platform_mismatch: {
    means: 'The image is for another kind of processor or system.',
    remedy: 'Use an image for the worker’s platform, or one for several.',
  },
  command_not_found: {
    means: 'The image has no such program.',
    remedy:
      'Look at the spelling, and whether the image has it. In `command`, each argument is an entry of its own: `["sh", "-c", "echo hi"]`.',
  },
  command_not_executable: {
    means: 'The file is there, but cannot be executed.',
    remedy: 'Set its mode to 0755, look at its first line (`#!`), or name the program that reads it.',
  },
  image_without_command: {
    means: 'The image does not say what to run, and neither does the request.',
    remedy: 'Give a `command`.',
  },
  language_unavailable: {
    means: 'The worker has no image for this language or this version.',
    remedy: 'See GET /v1/languages. The operator builds it with `npm run images -- LANGUAGE`.',
  },
  isolation_unavailable: {
    means: 'No worker has this isolation.',
    remedy: 'Use `container`, or have the operator install gVisor (`runsc`) for the Engine.',
  },
  egress_unavailable: {
    means: 'No worker can give access to the network safely.',
    remedy: 'Use the network `none`. The operator sees with `runlet doctor` what is missing.',
  },
  insufficient_capacity: {
    means: 'It asks for more memory or processors than the largest worker has.',
    remedy: 'Lower `limits.memoryBytes` or `limits.cpus`, or have the operator add a larger worker.',
  },
  start_failed: {
    means: 'The container could not be started as the request says.',
    remedy: '`detail` names the cause: often a folder that does not exist or cannot be written to.',
  },
  worker_lost: {
    means: 'The worker that had it stopped or was cut off.',
    remedy: 'Send it again. With `retries`, Runlet does that by itself.',
  },
  container_lost: {
    means: 'The container was removed by something other than Runlet.',
    remedy: 'Send it again, and find out who removes containers on that machine.',
  },
  engine_unavailable: {
    means: 'The worker’s Docker Engine does not answer.',
    remedy: 'Try again in a moment. The operator looks whether the Engine runs: `runlet doctor`.',
  },
  wall_limit: {
    means: 'It ran longer than `limits.timeoutMs`, and was stopped.',
    remedy:
      'Raise the limit, or make the program end sooner. A program that waits for input waits for ever unless `stdin` is given.',
  },
  cpu_limit: {
    means: 'It used more time of the processor than `limits.cpuTimeMs`, and was stopped.',
    remedy: 'Raise the limit, or look for an endless loop.',
  },
  output_limit: {
    means: 'It wrote more than `limits.outputBytes`, and was stopped.',
    remedy: 'Raise the limit, or write to a file and keep that as an artifact.',
  },
  memory_limit: {
    means: 'It needed more than `limits.memoryBytes`, and the kernel stopped it.',
    remedy: 'Raise the limit, or make the program hold less at once.',
  },
  kernel_memory_limit: {
    means: 'The kernel held more for it than any run may have it hold, such as open sockets or pipes.',
    remedy: 'Let the program open fewer at once.',
  },
  disk_limit: {
    means: 'It wrote more to the disk than `limits.diskBytes`.',
    remedy: 'Raise the limit, or remove files that are not needed on the way.',
  },
  artifact_limit: {
    means: 'There were more artifacts, or larger ones, than may be kept.',
    remedy:
      'Name fewer files in `artifacts`, or pack them. The operator sets `RUNLET_MAX_ARTIFACTS` and `RUNLET_MAX_ARTIFACT_BYTES`.',
  },
  service_crashed: {
    means: 'The program of the service ended by itself.',
    remedy: 'See its last words with `runlet logs NAME`, correct the cause, and start it again.',
  },
  service_not_ready: {
    means: 'The service was started, and did not become ready in time.',
    remedy: 'See `runlet logs NAME`. The program must listen on the `port` of the request, on all addresses.',
  },
  service_stopped: {
    means: 'The service was stopped, and does not wake by itself.',
    remedy: 'Start it: `runlet start NAME`.',
  },
  service_unreachable: {
    means: 'The service took no connection, or broke off before it answered.',
    remedy: 'See `runlet logs NAME`. The program must listen on the `port` of the request, on all addresses.',
  },
  service_timeout: {
    means: 'The service took the request, and did not answer in time.',
    remedy: 'Try again, and see `runlet logs NAME` for what it does meanwhile.',
  },
  node_lost: {
    means: 'The machine that had the service is gone.',
    remedy:
      'Wait until it is back, or remove the service and create it again. Its volumes are on that machine.',
  },
};
