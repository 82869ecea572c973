/**
 * Kinds of fields, by the registry of HTTP fields (IANA) and what browsers have added to it. Two rules depend on them: a Connection field
 * removes only fields of one connection (RFC 9110 §7.6.1), and none of these may be a trailer (§6.5.1). A field in no list is somebody's own,
 * and treated as it says.
 */
const whole = [
  // Framing and routing (§6.5.1).
  ...['host', 'transfer-encoding', 'content-length', 'trailer', 'max-forwards', 'via', 'expect', 'date'],
  // Controls and conditions of a request.
  ...['cache-control', 'pragma', 'range', 'origin', 'referer', 'user-agent', 'from', 'priority', 'dnt', 'te'],
  ...[
    'cookie',
    'authorization',
    'proxy-authorization',
    'prefer',
    'idempotency-key',
    'save-data',
    'downlink',
    'rtt',
  ],
  // Who asks, as only a proxy may say it; and what changes what is asked.
  ...['forwarded', 'x-real-ip', 'x-http-method', 'x-method-override', 'x-original-url', 'x-rewrite-url'],
  ...[
    'x-http-method-override',
    'x-requested-with',
    'upgrade-insecure-requests',
    'last-event-id',
    'early-data',
  ],
  // What an answer says of itself, and to whoever shows it.
  ...[
    'age',
    'expires',
    'last-modified',
    'location',
    'refresh',
    'retry-after',
    'vary',
    'warning',
    'allow',
    'link',
  ],
  ...[
    'set-cookie',
    'set-cookie2',
    'www-authenticate',
    'proxy-authenticate',
    'proxy-authentication-info',
    'server',
  ],
  ...[
    'x-frame-options',
    'x-content-type-options',
    'x-xss-protection',
    'x-robots-tag',
    'x-ua-compatible',
    'sourcemap',
  ],
  ...[
    'x-dns-prefetch-control',
    'x-download-options',
    'x-permitted-cross-domain-policies',
    'x-accel-redirect',
  ],
  ...[
    'referrer-policy',
    'permissions-policy',
    'feature-policy',
    'document-policy',
    'require-document-policy',
  ],
  ...[
    'integrity-policy',
    'integrity-policy-report-only',
    'origin-trial',
    'timing-allow-origin',
    'no-vary-search',
  ],
  ...['preference-applied', 'cache-status', 'cdn-cache-control', 'surrogate-control', 'alt-used', 'tk'],
  ...['supports-loading-mode', 'speculation-rules', 'service-worker', 'service-worker-navigation-preload'],
];
const begins =
  /^(?:accept|access-control-|content-|cross-origin-|if-|sec-|x-forwarded-|x-accel-|deprecation|sunset|want-)/;

/** About the server of the connection, which is us: by which other servers, and how, the host can be reached. */
const ofEdge = [
  ...['alt-svc', 'alternate-protocol', 'nel', 'expect-ct', 'expect-staple'],
  ...['public-key-pins', 'public-key-pins-report-only'],
];

/** For the whole origin, whatever path sent it. */
const ofOrigin = [
  ...[
    'clear-site-data',
    'service-worker-allowed',
    'strict-transport-security',
    'report-to',
    'reporting-endpoints',
  ],
  ...[
    'accept-ch',
    'accept-ch-lifetime',
    'critical-ch',
    'origin-agent-cluster',
    'set-login',
    'idp-signin-status',
  ],
  ...[
    'use-as-dictionary',
    'activate-storage-access',
    'observe-browsing-topics',
    'dpop-nonce',
    'document-isolation-policy',
  ],
  ...['proxy-authenticate', 'proxy-authentication-info'],
];
const originBegins =
  /^(?:attribution-reporting-|sec-session-|secure-session-|sec-shared-storage-|ad-auction-)/;

/** Of one connection. */
const ofConnection = [...['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'http2-settings', 'te']];

const edge = new Set(ofEdge);
const origin = new Set(ofOrigin);
const known = new Set([...whole, ...ofEdge, ...ofOrigin, 'etag', 'authentication-info', 'server-timing']);
/** Of these, what is known only once a body has been made (RFC 9110 §8.8.3, §14.3; RFC 9530; RFC 7615). */
const behind = new Set([
  'etag',
  'authentication-info',
  'server-timing',
  'accept-ranges',
  'content-digest',
  'content-md5',
]);
const hop = new Set(ofConnection);

/** All names here are in lower case. */
export const isOfEdge = (name: string) => edge.has(name);
export const isOfOrigin = (name: string) => edge.has(name) || origin.has(name) || originBegins.test(name);
/** For the final recipient: a Connection field does not remove it. */
export const isEndToEnd = (name: string) => known.has(name) || begins.test(name) || originBegins.test(name);

/** If a recipient read this trailer as a field of the head, it would change the framing, the host, the caller or the page. */
export const isNoTrailer = (name: string) => !behind.has(name) && (hop.has(name) || isEndToEnd(name));
