import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { join } from 'node:path';

const publicRegistry = 'https://registry-1.docker.io/v2/';
/** The user waits for this at the first start. It is long enough for a slow connection, and not too long to wait. */
const probeTimeoutMs = 3_000;
/** An answer is kept for a day, so that the next starts need not ask again. */
const believedMs = 86_400_000;

interface Answer {
  reachable: boolean;
  at: number;
}

/** Can images be pulled from the public registry? This is asked at most once a day. The answer is kept in the data folder. */
export async function publicRegistryReachable(dataDir: string, now = Date.now()): Promise<boolean> {
  const note = join(dataDir, 'public-registry.json');
  const known = readAnswer(note);
  if (known !== undefined && now - known.at < believedMs && known.at <= now) return known.reachable;
  const reachable = await probe(publicRegistry);
  writeFileSync(note, JSON.stringify({ reachable, at: now } satisfies Answer));
  return reachable;
}

/** Any answer is enough: the registry answers 401 to clients that do not log in. */
function probe(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    // The Engine uses HTTPS_PROXY, so this request must use it too.
    const agent = new Agent({ proxyEnv: process.env });
    const request = get(url, { agent, signal: AbortSignal.timeout(probeTimeoutMs) }, (response) => {
      response.resume();
      resolve((response.statusCode ?? 500) < 500);
    });
    request.on('error', () => resolve(false));
  });
}

function readAnswer(note: string): Answer | undefined {
  try {
    return JSON.parse(readFileSync(note, 'utf8')) as Answer;
  } catch {
    return undefined;
  }
}
