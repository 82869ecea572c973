import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ensureTools } from '../../infra/parts/apt.ts';
import { servicesOf } from '../services/support.ts';
import { ensureLoaded } from '../support/lab-images.ts';
import type { Runlet } from '../support/runlet.ts';
import { type Context, withRunlet } from './context.ts';
import { median, type Row } from './measure.ts';

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
 * The gateway between wrk and a service, against the same wrk at the container itself. Direct and proxied in turn, in slices of a
 * second, so that a machine that is slower for a while is so for both.
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
  const ways = { direct: `http://${address}:${port}/`, proxied: `${runlet.url}/` };
  try {
    const many = await inTurn(rounds, ways, (url) => slice(wrk, url, host, connections));
    const [rate, itsRate] = [median(many.proxied.rates), median(many.direct.rates)];
    const one = await inTurn(rounds, ways, (url) => slice(wrk, url, host, 1));
    const [ms, itsMs] = [median(one.proxied.p50s), median(one.direct.p50s)];
    return [
      {
        what: `proxy: requests over ${connections} connections to ${about}, vs direct`,
        runlet: `${rate.toFixed(0)} /s`,
        peer: `${itsRate.toFixed(0)} /s`,
        ratio: (rate / itsRate).toFixed(2),
        goal: '≥ 0.6',
      },
      {
        what: `proxy: p50 of a request over one connection to ${about}, vs direct`,
        runlet: `${ms.toFixed(2)} ms`,
        peer: `${itsMs.toFixed(2)} ms`,
        ratio: `+${(ms - itsMs).toFixed(2)} ms`,
        goal: '≤ +1 ms',
      },
    ];
  } finally {
    await api.remove(service.name);
  }
}

type Measured = { rates: number[]; p50s: number[] };

async function inTurn(
  rounds: number,
  ways: { direct: string; proxied: string },
  act: (url: string) => Promise<{ rate: number; p50: number }>,
): Promise<{ direct: Measured; proxied: Measured }> {
  const all = { direct: { rates: [], p50s: [] }, proxied: { rates: [], p50s: [] } } as Record<
    keyof typeof ways,
    Measured
  >;
  // The first ones compile the code.
  for (let i = -Math.min(2, rounds / 2); i < Math.max(1, rounds / 4); i += 1)
    for (const way of ['direct', 'proxied'] as const) {
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
