import { type ApiClient, readJson } from '../http/api-client.ts';
import type { Answer } from '../http/exchange.ts';
import { problemFrom } from '../http/problem-from.ts';
import { type Check, failed, ok, skipped, warning } from './check.ts';
import { parseVersion } from './versions.ts';

type Readiness = { status?: string; redis?: { version?: string } | null; workers?: number };

const patienceMs = 5000;
// HTTP dates have whole seconds, and the answer takes some time. A smaller difference than this cannot be measured.
const skewLimitMs = 5000;

/** Whether a server answers, and whether its clock and ours agree. */
export async function checkReachable(api: ApiClient): Promise<{ checks: Check[]; reachable: boolean }> {
  let response: Answer;
  const asked = Date.now();
  try {
    response = await api.send({ path: '/healthz', signal: AbortSignal.timeout(patienceMs) });
  } catch (error) {
    const remedy = 'Start Runlet (npm start), or set RUNLET_URL to where it runs.';
    return { checks: [failed('server', (error as Error).message, remedy)], reachable: false };
  }
  const answered = Date.now();
  response.body.destroy();
  if (!response.ok) {
    const detail = `${api.url}/healthz answers ${response.status}`;
    const remedy = 'Check that the address is Runlet’s: `runlet config` says where it comes from.';
    return { checks: [failed('server', detail, remedy)], reachable: false };
  }
  const clock = checkClock(response.header('date'), (asked + answered) / 2);
  return { checks: [ok('server', `${api.url} answers in ${answered - asked} ms`), clock], reachable: true };
}

function checkClock(date: string | undefined, now: number): Check {
  const at = Date.parse(date ?? '');
  if (Number.isNaN(at)) return skipped('clock', 'The server does not say its time');
  // The header's time is cut to whole seconds, so the middle of that second is the best guess.
  const skewMs = at + 500 - now;
  if (Math.abs(skewMs) <= skewLimitMs) return ok('clock', 'This machine and the server agree');
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  const detail = `The server’s clock is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} this machine’s`;
  return warning(
    'clock',
    detail,
    'Set both by NTP (timedatectl set-ntp true); signatures and ages go by them.',
  );
}

/** Whether the server can take runs now, and what it reports about its Redis. */
export async function checkReady(api: ApiClient): Promise<Check[]> {
  const response = await api.send({ path: '/readyz', signal: AbortSignal.timeout(patienceMs) });
  if (!response.ok) {
    const { problem } = await problemFrom(response, api.url);
    return [failed('ready', `${problem.title}: ${problem.detail}`, remedyFor(problem.code))];
  }
  const readiness = (await readJson(response, api.url).catch(() => ({}))) as Readiness;
  const workers = readiness.workers === undefined ? '' : `, ${readiness.workers} worker(s)`;
  return [ok('ready', `The server takes runs${workers}`), ...checkRedis(readiness.redis?.version)];
}

function remedyFor(code: string): string {
  if (code === 'store_unavailable')
    return 'Start Redis, and check RUNLET_REDIS_URL of the server; with npm start, see its log.';
  if (code === 'no_worker')
    return 'Start a worker against the same Redis (npm start starts one), and see its log.';
  return 'See the server’s log.';
}

function checkRedis(version: string | undefined): Check[] {
  if (version === undefined) return [];
  const parsed = parseVersion(version);
  if (parsed === undefined || parsed.major >= 7) return [ok('redis', `Redis ${version}`)];
  return [failed('redis', `Redis ${version} is too old`, 'Use Redis 7 or later, or any Valkey.')];
}

export async function checkKey(api: ApiClient): Promise<Check> {
  const path = '/v1/runs?limit=1';
  const response = await api.send({ path, signal: AbortSignal.timeout(patienceMs) });
  response.body.destroy();
  if (response.ok) return ok('key accepted', 'The server accepts the key');
  if (response.status === 401)
    return failed(
      'key accepted',
      'The server does not accept the key',
      'Use the key that this server printed at its first start: see `runlet config`, RUNLET_API_KEY.',
    );
  return failed('key accepted', `The server answers ${response.status} to ${path}`, 'See the server’s log.');
}
