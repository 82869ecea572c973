import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { findLanguage, type Language } from '../../../shared/languages/index.ts';

/** The image that a request names, or that of its language. */
export function imageOf(request: Pick<RunRequest, 'image' | 'language'>): string {
  return request.image ?? languageOf(request)?.image ?? '';
}

/** `undefined` where the request names no language, or one that this worker does not have. */
export function languageOf(request: Pick<RunRequest, 'language'>): Language | undefined {
  const found = request.language === undefined ? undefined : findLanguage(request.language);
  return found !== undefined && !('fault' in found) ? found.language : undefined;
}
