import type { ProblemIssue } from '../../../shared/problems.ts';
import type { ShownProblem } from '../errors.ts';
import { formatDuration, formatLimit } from './format.ts';

/** The options that set a request's fields. A field in an object or a list is found by its beginning. */
const flags: Record<string, string> = {
  'limits.timeoutMs': '--timeout',
  'limits.cpuTimeMs': '--cpu-time',
  'limits.memoryBytes': '--memory',
  'limits.stackBytes': '--stack',
  'limits.cpus': '--cpus',
  'limits.pids': '--pids',
  'limits.outputBytes': '--output-limit',
  'limits.diskBytes': '--disk',
  'health.path': '--health',
  'webhook.secret': '--webhook-secret',
  'webhook.url': '--webhook',
  image: 'IMAGE',
  language: '--lang',
  code: 'the code',
  command: 'COMMAND',
  args: 'the arguments',
  entrypoint: '--entrypoint',
  workdir: '--workdir',
  env: '-e',
  files: '--file',
  inputs: '--input',
  artifacts: '--artifact',
  network: '--network',
  isolation: '--isolation',
  pull: '--pull',
  priority: '--priority',
  delayMs: '--delay',
  retries: '--retries',
  interactive: '-i',
  tty: '-t',
  writable: '--writable',
  metadata: '--metadata',
  port: '--port',
  tcpPorts: '--tcp',
  keepAlive: '--keep',
  onIdle: '--on-idle',
  volumes: '--volume',
  events: '--event',
  expiresAt: '--expires',
};

/** The commands that show what a route shows. */
const commands: Record<string, string> = {
  'GET /v1/runs': 'runlet ps',
  'GET /v1/services': 'runlet services',
  'GET /v1/volumes': 'runlet volumes',
  'GET /v1/images': 'runlet images',
  'GET /v1/workers': 'runlet workers',
  'GET /v1/languages': 'runlet languages',
  'GET /v1/webhooks': 'runlet webhooks ls',
  'GET /v1/deliveries': 'runlet webhooks deliveries',
  'GET /v1/keys': 'runlet keys ls',
  'POST /v1/keys': 'runlet keys add',
  'POST /v1/webhooks': 'runlet webhooks add',
  'POST /v1/services': 'runlet up',
};

/**
 * A server's problem in the words of the command line: options for fields of the request, commands for routes, and units that
 * people read. With `--json` it stays as the server has it.
 */
export function inCliWords<T extends ShownProblem & { errors: ProblemIssue[] }>(problem: T): T {
  return {
    ...problem,
    detail: sentence(problem.detail.replace(/ \(and \d+ more, see errors\)$/, '')),
    errors: problem.errors.map(({ path, message }) => ({
      path: flagOf(path) ?? path,
      message: sentence(message, path),
    })),
  };
}

/** The option for a field such as `limits.memoryBytes`, `command[0]` or `env.PATH`. */
function flagOf(path: string): string | undefined {
  const direct = flags[path];
  if (direct !== undefined) return direct;
  const [field = '', name] = path.split(/[.[]/, 2);
  if (field === 'env' || field === 'metadata') return `${flags[field]} ${name}`;
  return flags[field];
}

/** @param about the field that the text is about, where another place names it */
function sentence(text: string, about = /^([\w.[\]-]+): /.exec(text)?.[1] ?? ''): string {
  return inUnits(text, about)
    .replace(/^([\w.[\]-]+)(?=: )/, (path) => flagOf(path) ?? path)
    .replace(/\b(?:limits|health|webhook)\.\w+/g, (path) => flags[path] ?? path)
    .replace(/\((GET|POST) \/v1\/\w+, (`runlet [^`]+`)\)/g, '($2)')
    .replace(/`?((?:GET|POST) \/v1\/\w+)(?:\?[\w=&,.-]+\b)?`?/g, (all, route) =>
      commands[route] === undefined ? all : `\`${commands[route]}\``,
    )
    .replace(/\b(pull|isolation|network)(?: is)? "(\w+)"/g, '--$1 $2');
}

/** The schemas' words for bounds, and numbers that are bytes or milliseconds. */
function inUnits(text: string, about: string): string {
  const show = /Bytes$/.test(about) ? formatLimit : /Ms$/.test(about) ? formatDuration : String;
  return text
    .replace(/Too small: expected \w+ to be >(=?)(-?[\d.]+)/, (_, orEqual, least) =>
      orEqual ? `the least is ${show(Number(least))}` : `must be above ${show(Number(least))}`,
    )
    .replace(/Too big: expected \w+ to be <(=?)(-?[\d.]+)/, (_, orEqual, most) =>
      orEqual ? `the most is ${show(Number(most))}` : `must be below ${show(Number(most))}`,
    )
    .replace(/\b(\d{4,}) bytes\b/g, (_, bytes) => formatLimit(Number(bytes)))
    .replace(/(Bytes(?: is)? \(?)(\d{4,})\b/g, (_, before, bytes) => before + formatLimit(Number(bytes)))
    .replace(/(Ms(?: is)? \(?)(\d+)\b/g, (_, before, ms) => before + formatDuration(Number(ms)))
    .replace(/(\bworker has )(\d{6,})\b/g, (_, before, bytes) => before + formatLimit(Number(bytes)))
    .replace(/\b(\d{4,}) ms\b/g, (_, ms) => formatDuration(Number(ms)));
}
