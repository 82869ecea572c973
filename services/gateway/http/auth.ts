import { createMiddleware } from 'hono/factory';
import { Problem } from '../../../shared/problems.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { Identity } from '../stores/api-keys.ts';
import { problemAnswer } from './answers.ts';
import type { GatewayEnv } from './context.ts';
import { endWithKey, isStream } from './end-of-key.ts';

const publicPaths = new Set([
  '/',
  '/healthz',
  '/readyz',
  '/openapi.json',
  '/docs',
  '/favicon.ico',
  '/robots.txt',
]);
const notAccepted = { title: 'The API key is not accepted' };
const isPublic = (path: string) => publicPaths.has(path) || path.startsWith('/docs/');

/** API keys (RFC 6750) for everything but health and documentation (API.md). Requests and streams end when their key ends. */
export function authenticate(keyring: Keyring) {
  async function identify(credentials: string | undefined): Promise<Identity> {
    const apiKey = /^Bearer +([\x21-\x7e]{1,1024})$/i.exec(credentials ?? '')?.[1];
    if (apiKey === undefined)
      throw new Problem('unauthorized', 'Send your API key as `Authorization: Bearer <key>`.');
    const identity = await keyring.whose(apiKey);
    if (identity === undefined)
      throw new Problem(
        'unauthorized',
        'This API key is not known, or was taken back: take the one that was printed at the first start, or have a new one made (POST /v1/keys, `runlet keys add`).',
        notAccepted,
      );
    if (!keyring.admits(identity))
      throw new Problem(
        'unauthorized',
        `This API key expired at ${new Date(identity.expiresAt ?? 0).toISOString()}: have a new one made (POST /v1/keys, \`runlet keys add\`).`,
        notAccepted,
      );
    return identity;
  }

  return createMiddleware<GatewayEnv>(async (c, next) => {
    if (isPublic(c.req.path)) return next();
    const identity = await identify(c.var.credentials ?? c.req.header('authorization'));
    c.set('identity', identity);
    const { upgrade } = c.env;
    if (upgrade !== undefined) upgrade.hold = (whenOver) => keyring.hold(identity, whenOver);
    const { promise: over, resolve: end } = Promise.withResolvers<'over'>();
    let whenOver = () => end('over');
    const release = keyring.hold(identity, () => whenOver());
    c.set('outliveKey', release);
    let streaming = false;
    try {
      if ((await Promise.race([next(), over])) === 'over') return keyEndedAnswer();
      if (!isStream(c.res)) return undefined;
      const stream = endWithKey(c, c.res, release);
      streaming = true;
      whenOver = stream.end;
      c.res = stream.response;
      return undefined;
    } finally {
      if (!streaming) release();
    }
  });
}

/** For a request that was accepted and still waits when its key ends. The rest of its body is not read. */
const keyEndedAnswer = () =>
  problemAnswer(
    new Problem(
      'unauthorized',
      'The API key was taken back, or has expired, while this request waited. What it had begun goes on.',
      notAccepted,
    ),
    { 'www-authenticate': 'Bearer realm="runlet"', connection: 'close' },
  );
