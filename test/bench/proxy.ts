import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ensureTools } from '../../infra/parts/apt.ts';
import { waitUntil } from '../../infra/parts/pids.ts';
import { docker } from '../support/docker.ts';
import { ensureLoaded } from '../support/lab-images.ts';
import { freePort } from '../support/ports.ts';
import type { Runlet } from '../support/runlet.ts';
import { servicesOf } from '../whole/services/support.ts';
import { type Context, withRunlet } from './context.ts';
import { compared, median, type Row } from './measure.ts';

const execute = promisify(execFile);

const connections = 32;
const port = 80;

/** A service as its user has it: in its container, on its network. */
type Warm = { name: string; about: string; image: string; command?: string[] };

/** @param page an expression */
const nodeServer = (page: string) => [
  'node',
  '-e',
  `require('node:http').createServer((_, outgoing) => { outgoing.writeHead(200, { 'content-type': 'text/html' }); outgoing.end(${page}); }).listen(${port})`,
];

const warm: Warm[] = [
  { name: 'nginx', about: 'nginx', image: 'nginx:1.22' },
  {
    name: 'node',
    about: 'a Node server',
    image: 'node:24-bookworm-slim',
    command: nodeServer("'hello world'"),
  },
  {
    name: 'page',
    about: 'a Node server that renders a list of 100',
    image: 'node:24-bookworm-slim',
    command: nodeServer(
      "Array.from({ length: 100 }, (_, i) => '<li>' + new Date(i * 1e9).toUTCString() + '</li>').join('')",
    ),
  },
];

/**
 * The gateway between wrk and a service, against the same wrk at the container itself, and at nginx as its proxy. In turn, in slices
 * of a second, so that a machine that is slower for a while is so for all. Each hop more is two more writes to a socket, most of which is
 * the kernel's work: on two cores that wrk and a server which only says hello keep busy by themselves, nginx shows what a proxy can reach.
 */
export async function serviceProxy(context: Context): Promise<Row[]> {
  const { lab, say } = context;
  const [wrk = ''] = await ensureTools([{ names: ['wrk'], packages: ['wrk'] }], say);
  for (const image of ['nginx', 'node']) await ensureLoaded(lab, image);
  return withRunlet(context, {}, async (runlet) => {
    const rows: Row[] = [];
    for (const service of warm) {
      say(`proxy: ${service.about} …`);
      rows.push(...(await measured(context, runlet, wrk, service)));
    }
    return rows;
  });
}

async function measured(
  { lab, raw, rounds }: Context,
  runlet: Runlet,
  wrk: string,
  { about, ...request }: Warm,
): Promise<Row[]> {
  const api = servicesOf(runlet, lab.dockerHost);
  const service = await api.start({ ...request, port, public: true, keepAlive: 'forever' });
  if (service.status !== 'ready') throw new Error(`${about}: ${JSON.stringify(service.error)}`);
  const address = await raw.addressOf(api.container(service));
  const host = `${service.name}.localhost`;
  let nginx: Awaited<ReturnType<typeof nginxProxyOf>> | undefined;
  try {
    nginx = await nginxProxyOf(lab.dockerHost, address);
    const ways = { direct: `http://${address}:${port}/`, proxied: `${runlet.url}/`, nginx: nginx.url };
    const many = await inTurn(rounds, ways, (url) => slice(wrk, url, host, connections));
    const one = await inTurn(rounds, ways, (url) => slice(wrk, url, host, 1));
    const rates = (peer: Way, name: string, goal: string) =>
      compared(
        `proxy: requests over ${connections} connections to ${about}, vs ${name}`,
        [median(many.proxied.rates), median(many[peer].rates)],
        '/s',
        goal,
        { digits: 0 },
      );
    return [
      rates('direct', 'direct', '≥ 0.6'),
      rates('nginx', 'nginx as its proxy', ''),
      compared(
        `proxy: p50 of a request over one connection to ${about}, vs direct`,
        [median(one.proxied.p50s), median(one.direct.p50s)],
        'ms',
        '≤ +1 ms',
        { digits: 2, as: 'difference' },
      ),
    ];
  } finally {
    await nginx?.stop();
    await api.remove(service.name);
  }
}

/** nginx as it comes, one process a core, with connections to the service that are kept. */
async function nginxProxyOf(dockerHost: string, address: string) {
  const at = await freePort();
  // As root: no other user of the machine reaches a service's container.
  const settings = `
    user root;
    events {}
    http {
      access_log off;
      upstream service { server ${address}:${port}; keepalive 64; keepalive_requests 1000000; }
      server {
        listen 127.0.0.1:${at};
        keepalive_requests 1000000;
        location / {
          proxy_pass http://service;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $http_host;
          proxy_set_header X-Forwarded-For $remote_addr;
          proxy_set_header X-Forwarded-Proto $scheme;
        }
      }
    }`;
  const start = `printf %s "$SETTINGS" > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf -g 'daemon off; worker_processes auto;'`;
  const words = ['run', '-d', '--rm', '--network', 'host', '-e', `SETTINGS=${settings}`];
  const id = await docker(dockerHost, ...words, '--entrypoint', 'sh', 'nginx:1.22', '-c', start);
  const url = `http://127.0.0.1:${at}/`;
  const stop = async () => void (await docker(dockerHost, 'rm', '-f', id));
  const answers = async () => (await fetch(url).catch(() => undefined))?.ok === true;
  if (await waitUntil(answers, 5_000)) return { url, stop };
  const said = await docker(dockerHost, 'logs', id);
  await stop();
  throw new Error(`nginx as a proxy does not answer: ${said}`);
}

const everyWay = ['direct', 'proxied', 'nginx'] as const;
type Way = (typeof everyWay)[number];
type Measured = { rates: number[]; p50s: number[] };

async function inTurn(
  rounds: number,
  ways: Record<Way, string>,
  act: (url: string) => Promise<{ rate: number; p50: number }>,
): Promise<Record<Way, Measured>> {
  const none = () => ({ rates: [], p50s: [] });
  const all: Record<Way, Measured> = { direct: none(), proxied: none(), nginx: none() };
  // The first ones compile the code; for a rough look they count as well.
  for (let i = rounds < 4 ? 0 : -Math.min(2, rounds / 2); i < Math.max(1, rounds / 4); i += 1)
    for (const way of everyWay) {
      const { rate, p50 } = await act(ways[way]);
      if (i < 0) continue;
      all[way].rates.push(rate);
      all[way].p50s.push(p50);
    }
  return all;
}

/** One second of wrk: answers a second, and how long the median of them took, in ms. */
async function slice(wrk: string, url: string, host: string, lanes: number) {
  const words = ['-t1', `-c${lanes}`, '-d1s', '--latency', '-H', `Host: ${host}`, url];
  const { stdout } = await execute(wrk, words);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`${url}: ${stdout}`);
  const rate = Number(/^Requests\/sec:\s+([\d.]+)$/m.exec(stdout)?.[1]);
  const [, p50, unit = ''] = /^\s+50%\s+([\d.]+)(us|ms|s)$/m.exec(stdout) ?? [];
  return { rate, p50: Number(p50) * ({ us: 0.001, ms: 1, s: 1_000 }[unit] ?? Number.NaN) };
}
