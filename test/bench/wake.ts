import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { docker } from '../support/docker.ts';
import { ensureLoaded } from '../support/lab-images.ts';
import type { Runlet } from '../support/runlet.ts';
import { servicesOf } from '../whole/services/support.ts';
import { type Context, withRunlet } from './context.ts';
import { alone, compared, median, type Row, timed } from './measure.ts';

const image = 'nginx:1.22';
const port = 80;

/** A request that wakes an idle service, against the same image started on the same Engine until it gives its first byte. */
export async function wake(context: Context): Promise<Row[]> {
  await ensureLoaded(context.lab, 'nginx');
  return withRunlet(context, {}, (runlet) => measured(context, runlet));
}

async function measured({ lab, rounds, raw }: Context, runlet: Runlet): Promise<Row[]> {
  const { dockerHost } = lab;
  const api = servicesOf(runlet, dockerHost);
  const service = await api.start({ name: 'sleeper', image, port, keepAlive: 1_000 });
  if (service.status !== 'ready') throw new Error(`${image}: ${JSON.stringify(service)}`);
  const peer = await docker(dockerHost, 'create', image);
  const ours: number[] = [];
  const bare: number[] = [];
  try {
    for (let i = 0; i < Math.max(Math.min(3, rounds), Math.ceil(rounds / 2)); i += 1) {
      await api.until(service.name, ({ status }) => status === 'idle');
      await raw.calm(200);
      ours.push(
        await timed(async () => {
          const answer = await api.fetch(service);
          if (answer.status !== 200) throw new Error(`woken: ${answer.status} ${await answer.text()}`);
          await answer.body?.cancel();
        }),
      );
      bare.push(
        await timed(async () => {
          await raw.start(peer);
          const address = await raw.addressOf(peer);
          while (!(await answers(address))) await sleep(1);
        }),
      );
      await raw.kill(peer);
    }
  } finally {
    await docker(dockerHost, 'rm', '-f', peer);
    await api.remove(service.name);
  }
  return [
    alone(`wake of an idle ${image}, until its first byte`, ours),
    compared(
      'wake: p50, vs the container’s own start until its first byte',
      [median(ours), median(bare)],
      'ms',
      '≤ +150 ms',
      { as: 'difference' },
    ),
  ];
}

function answers(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true });
    socket.once('connect', () => socket.write('GET / HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n'));
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
