import type { Runlet } from '../support/runlet.ts';
import { percentile, type Row, timed } from './measure.ts';

const programs: [language: string, code: string][] = [
  ['bash', 'echo hi'],
  ['python', 'print(1)'],
];

/** The same program through a Piston-compatible server (its API v2), turn by turn. */
export async function pistonLatency(runlet: Runlet, url: string, rounds: number): Promise<Row[]> {
  const base = url.replace(/\/+$/, '');
  const rows: Row[] = [];
  for (const [language, code] of programs) {
    const body = JSON.stringify({ language, version: '*', files: [{ content: code }] });
    const theirs: number[] = [];
    const ours: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      theirs.push(
        await timed(async () => {
          const headers = { 'content-type': 'application/json' };
          const answer = await fetch(`${base}/api/v2/execute`, { method: 'POST', headers, body });
          if (!answer.ok) throw new Error(`${base}: ${answer.status} ${await answer.text()}`);
          await answer.text();
        }),
      );
      ours.push(await timed(() => runlet.run({ language, code })));
    }
    const [mine, peer] = [percentile(ours, 0.5), percentile(theirs, 0.5)];
    rows.push({
      what: `${language} p50, vs Piston at ${base}`,
      runlet: `${mine.toFixed(1)} ms`,
      peer: `${peer.toFixed(1)} ms`,
      ratio: (mine / peer).toFixed(2),
      goal: '< 0.50',
    });
  }
  return rows;
}
