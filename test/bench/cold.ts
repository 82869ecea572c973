import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Runlet } from '../support/runlet.ts';
import { percentile, type Row, throughput, timed } from './measure.ts';
import type { rawEngine } from './raw-engine.ts';

const run = promisify(execFile);
const image = 'hello-world';

async function once(runlet: Runlet): Promise<void> {
  const ended = await runlet.run({ image });
  if (ended.status !== 'succeeded') throw new Error(`run: ${JSON.stringify(ended.error)}`);
}

/** Cold hello-world over HTTP against the bare Engine API and `docker run`, turn by turn in the same minutes. */
export async function coldLatency(
  runlet: Runlet,
  raw: ReturnType<typeof rawEngine>,
  dockerHost: string,
  rounds: number,
): Promise<Row[]> {
  const samples = { runlet: [] as number[], raw: [] as number[], docker: [] as number[] };
  // Nobody's clean-up may fall into another's measurement.
  const quiet = async () => {
    while ((await raw.ours()) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  for (let round = 0; round < rounds; round += 1) {
    samples.runlet.push(await timed(() => once(runlet)));
    await quiet();
    let id = '';
    samples.raw.push(
      await timed(async () => {
        id = await raw.run(image);
      }),
    );
    await raw.remove(id);
    await quiet();
    if (round % 3 === 0) {
      const env = { ...process.env, DOCKER_HOST: dockerHost };
      samples.docker.push(
        await timed(() => run('docker', ['run', '--rm', '--network', 'none', image], { env })),
      );
      await quiet();
    }
  }
  const row = (share: number, peer: number[], name: string, goal: string): Row => {
    const ours = percentile(samples.runlet, share);
    const theirs = percentile(peer, share);
    return {
      what: `cold ${image} p${share * 100}, vs ${name}`,
      runlet: `${ours.toFixed(1)} ms`,
      peer: `${theirs.toFixed(1)} ms`,
      ratio: (ours / theirs).toFixed(2),
      goal,
    };
  };
  return [
    row(0.5, samples.raw, 'raw Engine API', '≤ 1.15'),
    row(0.95, samples.raw, 'raw Engine API', ''),
    row(0.99, samples.raw, 'raw Engine API', ''),
    row(0.5, samples.docker, 'docker run --rm', '< 1'),
  ];
}

/** Runs per second at several at a time, removal included, against the bare Engine API doing the same. */
export async function coldThroughput(
  runlet: Runlet,
  raw: ReturnType<typeof rawEngine>,
  lanes: number,
  calls: number,
): Promise<Row[]> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    ours.push(await throughput(lanes, calls, () => once(runlet)));
    while ((await raw.ours()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    theirs.push(await throughput(lanes, calls, async () => raw.remove(await raw.run(image))));
  }
  const [mine, peer] = [percentile(ours, 0.5), percentile(theirs, 0.5)];
  return [
    {
      what: `cold ${image}, ${lanes} at a time, vs raw Engine API`,
      runlet: `${mine.toFixed(1)} /s`,
      peer: `${peer.toFixed(1)} /s`,
      ratio: (mine / peer).toFixed(2),
      goal: lanes === 4 ? '≥ 0.90' : '',
    },
  ];
}
