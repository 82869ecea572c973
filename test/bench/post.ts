import { Agent, request } from 'node:http';
import type { Run } from '../../shared/contracts/run.ts';
import type { Runlet } from '../support/runlet.ts';
import { timed } from './measure.ts';

export type Sample = { ms: number; run: Run };

/** Connections are kept, as those of any client that cares for its latency. */
const agent = new Agent({ keepAlive: true, maxSockets: 256 });

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

function send(runlet: Runlet, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${runlet.apiKey}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      prefer: 'wait=30',
    };
    const sent = request(`${runlet.url}/v1/runs`, { agent, method: 'POST', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

export const warmOf = (samples: Sample[]) =>
  `${samples.filter(({ run }) => run.startedWarm).length} of ${samples.length} warm`;
