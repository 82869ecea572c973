import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import type { Run } from '../../shared/contracts/run.ts';
import type { Runlet } from '../support/runlet.ts';
import { percentile, type Row, timed } from './measure.ts';

const execute = promisify(execFile);

/** One thing to run, and what a user would run in its place. */
export type Subject = {
  name: string;
  /** The image by which the pool shows it. */
  image: string;
  request: Record<string, unknown>;
  /** Arguments of `docker run`; no word for none. */
  docker?: string[];
  /** The same program as a bare process of this machine. */
  bare?: string[];
};

type Sample = { ms: number; run: Run };

async function post(runlet: Runlet, request: Record<string, unknown>): Promise<Sample> {
  let run: Run | undefined;
  const ms = await timed(async () => {
    run = await runlet.run(request);
  });
  if (run?.status !== 'succeeded')
    throw new Error(
      `${JSON.stringify(request)}: ${run?.status} ${JSON.stringify(run?.error)} ${run?.stderr}`,
    );
  return { ms, run };
}

/** How many sandboxes are ready for this image. */
async function ready(runlet: Runlet, image: string): Promise<number> {
  const { data } = (await (await runlet.call('GET', '/v1/workers')).json()) as {
    data: { warm: { image: string; count: number }[] }[];
  };
  return data
    .flatMap(({ warm }) => warm)
    .reduce((sum, one) => sum + (one.image.startsWith(image) ? one.count : 0), 0);
}

/** Until so many are ready, or no more come. */
export async function settled(runlet: Runlet, image: string, count: number): Promise<number> {
  let best = 0;
  for (let quiet = 0; quiet < 40; quiet += 1) {
    const now = await ready(runlet, image);
    if (now >= count) return now;
    if (now > best) quiet = 0;
    best = Math.max(best, now);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return best;
}

const bareRun = (argv: string[]) =>
  timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
        child.stdout.resume();
        child.once('error', reject);
        child.once('close', () => resolve());
      }),
  );

/** So many one after another, as long as the pool has some; then it is waited for. */
const batch = 8;

/** Warm answers one at a time, in batches that the pool can serve, with the peers turn by turn in the same minutes. */
export async function warmLatency(
  runlet: Runlet,
  dockerHost: string,
  subject: Subject,
  rounds: number,
): Promise<Row[]> {
  const ours: number[] = [];
  const docker: number[] = [];
  const bare: number[] = [];
  let warm = 0;
  // Twice at once: the pool makes as many ready as were wanted.
  for (let i = 0; i < 2; i += 1)
    await Promise.all(Array.from({ length: batch }, () => post(runlet, subject.request)));
  for (let round = 0; round < rounds; round += batch) {
    await settled(runlet, subject.image, batch);
    for (let i = 0; i < batch; i += 1) {
      const { ms, run } = await post(runlet, subject.request);
      if (run.startedWarm) warm += 1;
      ours.push(ms);
    }
    for (let i = 0; i < batch && subject.bare !== undefined; i += 1) bare.push(await bareRun(subject.bare));
    for (let i = 0; i < 2 && subject.docker !== undefined; i += 1) {
      const env = { ...process.env, DOCKER_HOST: dockerHost };
      docker.push(
        await timed(() =>
          execute('docker', ['run', '--rm', '--network', 'none', ...(subject.docker ?? [])], { env }),
        ),
      );
    }
  }
  const what = `warm ${subject.name}`;
  const p = (share: number) => percentile(ours, share);
  const rows: Row[] = [
    {
      what: `${what} p50 / p95 / p99 (${warm} of ${ours.length} warm)`,
      runlet: [0.5, 0.95, 0.99].map((share) => p(share).toFixed(1)).join(' / '),
      peer: '',
      ratio: '',
      goal: /hello|bash|sh /.test(subject.name) ? '≤ 6 ms' : '',
    },
  ];
  if (docker.length > 0) {
    const peer = percentile(docker, 0.5);
    rows.push({
      what: `${what} p50, vs docker run --rm --network none`,
      runlet: `${p(0.5).toFixed(1)} ms`,
      peer: `${peer.toFixed(1)} ms`,
      ratio: (p(0.5) / peer).toFixed(3),
      goal: '≤ 0.025',
    });
  }
  if (bare.length > 0) {
    const peer = percentile(bare, 0.5);
    rows.push({
      what: `${what} p50, vs the bare process (ms more: ${(p(0.5) - peer).toFixed(1)})`,
      runlet: `${p(0.5).toFixed(1)} ms`,
      peer: `${peer.toFixed(1)} ms`,
      ratio: (p(0.5) / peer).toFixed(2),
      goal: 'bare + 6 ms',
    });
  }
  return rows;
}

/** The other two ways the public sandbox benchmarks measure: one each 200 ms, and a hundred at once. */
export async function arrivals(runlet: Runlet, subject: Subject, count: number): Promise<Row[]> {
  const row = (what: string, samples: Sample[]): Row => ({
    what: `${subject.name}, ${what} (${samples.filter(({ run }) => run.startedWarm).length} warm)`,
    runlet: [0.5, 0.95, 0.99]
      .map((share) =>
        percentile(
          samples.map(({ ms }) => ms),
          share,
        ).toFixed(1),
      )
      .join(' / '),
    peer: '',
    ratio: '',
    goal: '',
  });
  await settled(runlet, subject.image, 4);
  const staggered: Promise<Sample>[] = [];
  for (let i = 0; i < count; i += 1) {
    staggered.push(post(runlet, subject.request));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const first = row(`${count} runs 200 ms apart p50 / p95 / p99`, await Promise.all(staggered));
  await settled(runlet, subject.image, 32);
  const burst = await Promise.all(Array.from({ length: count }, () => post(runlet, subject.request)));
  return [first, row(`${count} runs at once p50 / p95 / p99`, burst)];
}
