import { connect, type Socket } from 'node:net';
import type { Run } from '../../shared/contracts/run.ts';
import type { Runlet } from '../support/runlet.ts';
import { timed } from './measure.ts';

export type Sample = { ms: number; run: Run };

/** One run over HTTP, which must succeed, and what it took its client from the request to the last byte of the answer. */
export async function post(runlet: Runlet, wanted: Record<string, unknown>): Promise<Sample> {
  const body = JSON.stringify(wanted);
  let answer = { status: 0, text: '' };
  let ms = await timed(async () => {
    answer = await send(runlet, body);
  });
  let run = JSON.parse(answer.text) as Run;
  if (answer.status === 202)
    ms += await timed(async () => {
      run = await runlet.ended(run.id);
    });
  if (run.status !== 'succeeded')
    throw new Error(`${body}: ${answer.status} ${run.status} ${JSON.stringify(run.error)} ${run.stderr}`);
  return { ms, run };
}

/** Connections are kept, as those of any client that cares for its latency. */
const idle = new Map<string, Socket[]>();

/**
 * On a bare socket: on two cores what the client computes is waited for like what Runlet does, and node:http takes 2 ms of it for a
 * request now and then. It knows the answers of our own server, which say their length.
 */
function send(runlet: Runlet, body: string): Promise<{ status: number; text: string }> {
  const { host, hostname, port } = new URL(runlet.url);
  const kept = idle.get(host) ?? [];
  idle.set(host, kept);
  const socket = kept.pop() ?? opened(hostname, Number(port), kept);
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  let answer = Buffer.alloc(0);
  const over = () => reject(new Error('the gateway closed the connection'));
  const read = (data: Buffer) => {
    answer = Buffer.concat([answer, data]);
    const end = answer.indexOf('\r\n\r\n');
    if (end === -1) return;
    const [, status, length] =
      /^HTTP\/1\.1 (\d+) [\s\S]*\r\ncontent-length: (\d+)(?:\r\n|$)/i.exec(
        answer.toString('latin1', 0, end),
      ) ?? [];
    if (length === undefined) return reject(new Error(answer.toString('latin1')));
    const text = answer.subarray(end + 4);
    if (text.length < Number(length)) return;
    socket.off('data', read).off('error', reject).off('close', over);
    socket.unref();
    kept.push(socket);
    resolve({ status: Number(status), text: text.toString('utf8') });
  };
  socket.ref().on('data', read).on('error', reject).on('close', over);
  const head = [
    'POST /v1/runs HTTP/1.1',
    `Host: ${host}`,
    `Authorization: Bearer ${runlet.apiKey}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Prefer: wait=30',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  return promise;
}

function opened(host: string, port: number, kept: Socket[]): Socket {
  const socket = connect({ host, port, noDelay: true });
  // Idle, too: it ends with its gateway.
  socket.on('error', () => {});
  socket.once('close', () => {
    const at = kept.indexOf(socket);
    if (at >= 0) kept.splice(at, 1);
  });
  return socket;
}

export const warmOf = (samples: Sample[]) =>
  `${samples.filter(({ run }) => run.startedWarm).length} of ${samples.length} warm`;

export const msOf = (samples: Sample[]) => samples.map(({ ms }) => ms);
