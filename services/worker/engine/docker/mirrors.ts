import { defaultRegistry, parseImageReference } from '../../../../shared/images.ts';
import { Problem } from '../../../../shared/problems.ts';
import { manifestTypes } from '../manifest-types.ts';
import type { DockerClient } from './client.ts';

type MirrorAnswer = { RegistryConfig?: { Mirrors?: string[] } };

/** A mirror is usually near. */
const askMs = 2_000;

/**
 * On a site without the public registry, the engine asks its mirror, hears "not found", asks the public registry all
 * the same and reports only that it could not be reached. There the image does not exist, and the user is told so.
 * Returns a Problem `image_not_found`, or `undefined` where no mirror says that it lacks the image.
 */
export async function missingFromMirrors(
  client: DockerClient,
  reference: string,
  signal?: AbortSignal,
): Promise<Problem | undefined> {
  const parsed = parseImageReference(reference);
  if (parsed?.registry !== defaultRegistry) return undefined;
  const info = await client
    .call<MirrorAnswer>({ method: 'GET', path: '/info', signal })
    .catch(() => undefined);
  const mirrors = info?.RegistryConfig?.Mirrors ?? [];
  const path = `v2/${parsed.repository}/manifests/${parsed.digest ?? parsed.tag ?? 'latest'}`;
  const answers = await Promise.all(
    mirrors.map((mirror) =>
      fetch(new URL(path, mirror), {
        method: 'HEAD',
        headers: { accept: manifestTypes },
        redirect: 'manual',
        signal: AbortSignal.timeout(askMs),
      }).then(
        (answer) => answer.status,
        () => undefined,
      ),
    ),
  );
  if (!answers.includes(404)) return undefined;
  return new Problem(
    'image_not_found',
    `The engine’s registry mirror has no ${parsed.familiar}, and the public registry cannot be reached from the worker. Check the spelling, or push the image to the mirror.`,
  );
}
