import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startLab } from '../support/lab.ts';
import { startRunlet } from '../support/runlet.ts';
import { coldLatency, coldThroughput } from './cold.ts';
import { printTable, type Row } from './measure.ts';
import { outputMemory } from './memory.ts';
import { rawEngine } from './raw-engine.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'npm run bench -- [--rounds 40]\n\nMeasures Runlet beside its peers and prints one table; JSON goes to test/bench/results/.',
  );
  process.exit(0);
}
const rounds = Number(values.rounds);

const say = (line: string) => console.error(line);
const { lab, stop } = await startLab(say);
const raw = rawEngine(lab.dockerHost);
// The embedded default: Redis that writes before it answers. The log is the default, too.
const runlet = await startRunlet(lab);
const rows: Row[] = [];
try {
  say(`warming up, then ${rounds} rounds …`);
  for (let i = 0; i < 5; i += 1) await runlet.run({ image: 'hello-world' });
  rows.push(...(await coldLatency(runlet, raw, lab.dockerHost, rounds)));
  for (const lanes of [1, 4, 16]) {
    say(`${lanes} at a time …`);
    rows.push(...(await coldThroughput(runlet, raw, lanes, Math.max(20, rounds))));
  }
  say('memory …');
  rows.push(...(await outputMemory(runlet, runlet.workers[0]?.pid ?? 0)));
} finally {
  await runlet.stop();
  raw.close();
  await stop();
}
printTable(rows);
const folder = new URL('results/', import.meta.url);
await mkdir(folder, { recursive: true });
const file = new URL(`${new Date().toISOString().replaceAll(':', '-')}.json`, folder);
await writeFile(file, `${JSON.stringify({ at: new Date().toISOString(), rounds, rows }, null, 2)}\n`);
say(`written to ${file.pathname}`);
