import type { ImageReference } from '../../../../shared/images.ts';
import { normalArchitecture } from '../../engine/architecture.ts';
import type { EngineInfo } from '../../engine/engine.ts';
import type { RegistryCredentials } from '../../engine/images.ts';
import { manifestTypes } from '../../engine/manifest-types.ts';
import type { Answered, Caller } from './caller.ts';
import { UntrustedCertificate } from './caller.ts';
import { challengesIn } from './challenges.ts';
import { leadsOf } from './manifest.ts';
import { Forbidden, ledTo, type Places, Unreachable } from './places.ts';

type Walk = {
  image: ImageReference;
  credentials: RegistryCredentials | undefined;
  caller: Caller;
  places: Places;
  /** In the order in which the engine tries them. */
  schemes: ('https' | 'http')[];
  platform: Pick<EngineInfo, 'os' | 'architecture'>;
};

/**
 * Asks all that an engine asks for an image, up to its layers. Throws Forbidden where an answer leads to a place that is not allowed,
 * Unreachable where there is no answer.
 */
export async function walkImage(walk: Walk): Promise<void> {
  const { image, caller, places, platform } = walk;
  const { root, verify, answer } = await firstAnswer(walk);
  // Behind an unknown certificate may be anyone: it is asked, but gets no credentials.
  const credentials = verify ? walk.credentials : undefined;
  const how = { wantsBody: true, verify };
  const seen = new Set<string>();

  /** The credentials or token to send after this answer. Each realm that it names is asked, since engines differ in which they take. */
  async function login({ challenges }: Answered): Promise<string | undefined> {
    let authorization: string | undefined;
    for (const { scheme, parameters } of bounded(() => challengesIn(challenges))) {
      if (scheme === 'basic') {
        if (credentials !== undefined) authorization ??= basic(credentials);
        continue;
      }
      const realm = ledTo(parameters.get('realm') ?? '');
      if (realm === undefined || seen.has(realm.href)) continue;
      seen.add(realm.href);
      const service = parameters.get('service');
      if (service !== undefined) realm.searchParams.set('service', service);
      realm.searchParams.set('scope', `repository:${image.repository}:pull`);
      // A registry that is asked without TLS may have a token server without TLS.
      const mayTell = realm.protocol === 'https:' || root.protocol === 'http:';
      const headers: Record<string, string> =
        credentials !== undefined && mayTell ? { authorization: basic(credentials) } : {};
      const token = tokenIn((await caller.ask(realm, headers, how)).json);
      if (token !== undefined) authorization ??= `Bearer ${token}`;
    }
    return authorization;
  }

  let authorization = await login(answer);
  const manifest = async (name: string): Promise<Answered> => {
    const url = new URL(`v2/${image.repository}/manifests/${name}`, root);
    const ask = () =>
      caller.ask(url, { accept: manifestTypes, ...(authorization !== undefined && { authorization }) }, how);
    const first = await ask();
    if (first.status !== 401) return first;
    authorization = (await login(first)) ?? authorization;
    const second = await ask();
    await login(second);
    return second;
  };
  const fits = ({ os, architecture }: { os: string; architecture: string }) =>
    os === platform.os && normalArchitecture(architecture) === platform.architecture;
  const lookAt = async (answered: Answered) => {
    const { links, images } = bounded(() => leadsOf(answered.json, fits));
    for (const link of links) {
      const url = ledTo(link);
      if (url !== undefined) await places(url);
    }
    return images;
  };
  for (const digest of await lookAt(await manifest(image.digest ?? image.tag ?? 'latest')))
    await lookAt(await manifest(digest));
}

/** The registry's first answer, by the scheme at which it gives one. */
async function firstAnswer({ image, caller, schemes }: Walk) {
  let failure: unknown;
  for (const scheme of schemes)
    for (const verify of scheme === 'https' ? [true, false] : [true]) {
      const root = new URL(`${scheme}://${image.registry}/`);
      try {
        const answer = await caller.ask(new URL('v2/', root), {}, { wantsBody: false, verify });
        return { root, verify, answer };
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        failure = error;
        if (!(error instanceof UntrustedCertificate)) break;
      }
    }
  throw failure;
}

function bounded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Forbidden(`leads to ${error.message}`);
  }
}

const basic = ({ username, password }: RegistryCredentials) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

function tokenIn(answer: unknown): string | undefined {
  const { token, access_token: other } = (answer ?? {}) as { token?: unknown; access_token?: unknown };
  const found = [token, other].find((one) => typeof one === 'string' && /^[\x21-\x7e]+$/.test(one));
  return found as string | undefined;
}
