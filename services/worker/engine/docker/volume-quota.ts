import type { DockerClient } from './client.ts';
import { isRefusal, unexpected } from './errors.ts';
import { quotaIn } from './quota-options.ts';

/** What the Engine holds a volume to; `null`: to nothing, or there is none. */
export async function volumeQuota(
  client: DockerClient,
  name: string,
  signal?: AbortSignal,
): Promise<number | null> {
  type Answer = { Options?: Record<string, string> | null };
  try {
    const path = `/volumes/${encodeURIComponent(name)}`;
    return quotaIn((await client.call<Answer>({ method: 'GET', path, signal })).Options);
  } catch (error) {
    if (isRefusal(error, 404)) return null;
    throw unexpected(error, 'inspect a volume');
  }
}
