import type { Runlet } from '../support/runlet.ts';
import { percentile, type Row, throughput, timed } from './measure.ts';
import type { rawEngine } from './raw-engine.ts';
import type { Subject } from './warm.ts';

/** More than the pool can give: lanes that never pause, against the raw Engine creating, starting and removing. */
export async function sustained(
  runlet: Runlet,
  raw: ReturnType<typeof rawEngine>,
  subject: Subject,
  calls: number,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const lanes of [1, 4, 16]) {
    const took: number[] = [];
    const drain = async () => {
      while ((await raw.ours()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    // What the pool holds at first would flatter us: it is used up before the clock runs.
    await throughput(lanes, 40, () => runlet.run(subject.request));
    const mine = await throughput(lanes, calls, async () => {
      took.push(await timed(() => runlet.run(subject.request)));
    });
    await drain();
    const peer = await throughput(lanes, calls, async () => raw.remove(await raw.run('hello-world')));
    rows.push({
      what: `sustained ${subject.name}, ${lanes} at a time, vs raw create+start+remove`,
      runlet: `${mine.toFixed(1)} /s`,
      peer: `${peer.toFixed(1)} /s`,
      ratio: (mine / peer).toFixed(2),
      goal: '≥ 0.90',
    });
    rows.push({
      what: `sustained ${subject.name}, ${lanes} at a time, p50 / p95 ms`,
      runlet: `${percentile(took, 0.5).toFixed(1)} / ${percentile(took, 0.95).toFixed(1)}`,
      peer: '',
      ratio: '',
      goal: '',
    });
  }
  return rows;
}
