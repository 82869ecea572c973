import { ensureLoaded } from '../support/lab-images.ts';
import { type Context, withRunlet } from './context.ts';
import { compared, median, type Row, timed } from './measure.ts';

const programs: [language: string, code: string][] = [
  ['bash', 'echo hi'],
  ['python', 'print(1)'],
];

/** The same program through a Piston-compatible server (its API v2), turn by turn; nothing where none was named. */
export async function piston(context: Context): Promise<Row[]> {
  const { piston: url, lab, rounds } = context;
  if (url === undefined) return [];
  const base = url.replace(/\/+$/, '');
  for (const definition of ['debian', 'python']) await ensureLoaded(lab, definition);
  return withRunlet(context, {}, async (runlet) => {
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
      rows.push(
        compared(`${language} p50, vs Piston at ${base}`, [median(ours), median(theirs)], 'ms', '< 0.50'),
      );
    }
    return rows;
  });
}
