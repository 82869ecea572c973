import { Problem } from '../../../shared/problems.ts';
import type { EngineInfo } from '../engine/engine.ts';
import type { ImageInfo } from '../engine/images.ts';

/** uname's names for what image manifests call by another. */
const architectures: Record<string, string> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  i386: '386',
  i686: '386',
};

export function normalArchitecture(name: string): string {
  return architectures[name] ?? name;
}

/**
 * The engine pulls an image of one foreign architecture without a word, and only its start fails, with an
 * "exec format error" on the program's stderr. So it is looked at before. 32-bit programs are foreign too: our seccomp
 * profile kills their way into the kernel (see infra/seccomp/README.md).
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
