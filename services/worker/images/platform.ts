import { Problem } from '../../../shared/problems.ts';
import { normalArchitecture } from '../engine/architecture.ts';
import type { EngineInfo } from '../engine/engine.ts';
import type { ImageInfo } from '../engine/images.ts';

/**
 * The engine pulls an image that has only a foreign architecture without an error. Only its start fails, with "exec format error" on the
 * program's stderr. So the image is checked before. 32-bit programs are foreign, too: our seccomp profile forbids their system calls
 * (infra/seccomp/README.md).
 * Returns a Problem `platform_mismatch`, or `null` when the image fits.
 */
export function checkPlatform(
  image: Pick<ImageInfo, 'os' | 'architecture' | 'variant'>,
  engine: Pick<EngineInfo, 'os' | 'architecture'>,
  reference: string,
): Problem | null {
  const has = normalArchitecture(engine.architecture);
  const wants = normalArchitecture(image.architecture);
  const fits = image.os === engine.os && (wants === '' || wants === has);
  if (fits) return null;
  const variant = image.variant ? `/${image.variant}` : '';
  return new Problem(
    'platform_mismatch',
    `${reference} is built for ${image.os}/${wants}${variant}; the worker runs ${engine.os}/${has}. ` +
      `Name a tag or digest that is built for ${engine.os}/${has}.`,
  );
}
