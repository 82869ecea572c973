import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startLab } from '../support/lab.ts';
import { startRunlet } from '../support/runlet.ts';
import { coldLatency, coldThroughput } from './cold.ts';
import { judge } from './judge.ts';
import { printTable, type Row } from './measure.ts';
import { outputMemory } from './memory.ts';
import { pistonLatency } from './piston.ts';
import { rawEngine } from './raw-engine.ts';
import { subjects } from './subjects.ts';
import { sustained } from './sustained.ts';
import { arrivals, warmLatency } from './warm.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    only: { type: 'string' },
    piston: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    [
      'npm run bench -- [--rounds 40] [--only cold|warm|memory] [--piston URL]',
      '',
      'Measures Runlet beside its peers (the raw Engine API, docker run, a bare process; with --piston also a',
      'Piston-compatible server that you have running, as in http://127.0.0.1:2000) and prints one table;',
      'JSON goes to test/bench/results/.',
    ].join('\n'),
  );
  process.exit(0);
}
const rounds = Number(values.rounds);

const say = (line: string) => console.error(line);
const { lab, stop } = await startLab(say);
const raw = rawEngine(lab.dockerHost);
const wants = (part: string) => values.only === undefined || values.only === part;
const rows: Row[] = [];
try {
  // The embedded default: Redis that writes before it answers. The log is the default, too.
  if (wants('cold') || wants('memory')) {
    const runlet = await startRunlet(lab, { env: { RUNLET_WARM_MAX: '0' } });
    try {
      say(`cold: warming up, then ${rounds} rounds …`);
      for (let i = 0; i < 5; i += 1) await runlet.run({ image: 'hello-world' });
      if (wants('cold')) {
        rows.push(...(await coldLatency(runlet, raw, lab.dockerHost, rounds)));
        for (const lanes of [1, 4, 16]) {
          say(`cold, ${lanes} at a time …`);
          rows.push(...(await coldThroughput(runlet, raw, lanes, Math.max(20, rounds))));
        }
      }
      say('memory …');
      if (wants('memory')) rows.push(...(await outputMemory(runlet, runlet.workers[0]?.pid ?? 0)));
    } finally {
      await runlet.stop();
    }
  }
  if (wants('warm')) {
    const all = await subjects(lab, say);
    const runlet = await startRunlet(lab);
    try {
      for (const subject of all) {
        say(`warm ${subject.name} …`);
        rows.push(
          ...(await warmLatency(
            runlet,
            lab.dockerHost,
            subject,
            subject.image === 'busybox' ? rounds : Math.ceil(rounds / 2),
          )),
        );
      }
      const [bash] = all;
      if (bash !== undefined) {
        say('arrivals …');
        rows.push(...(await arrivals(runlet, bash, Math.max(10, Math.min(100, rounds * 2)))));
        say('sustained …');
        rows.push(...(await sustained(runlet, raw, bash, Math.max(20, rounds))));
      }
      say('fifty inputs …');
      rows.push(
        ...(await judge(
          runlet,
          all.some(({ name }) => name.startsWith('c++')),
        )),
      );
      if (values.piston !== undefined) rows.push(...(await pistonLatency(runlet, values.piston, rounds)));
    } finally {
      await runlet.stop();
    }
  }
} finally {
  raw.close();
  await stop();
}
printTable(rows);
const folder = new URL('results/', import.meta.url);
await mkdir(folder, { recursive: true });
const file = new URL(`${new Date().toISOString().replaceAll(':', '-')}.json`, folder);
await writeFile(file, `${JSON.stringify({ at: new Date().toISOString(), rounds, rows }, null, 2)}\n`);
say(`written to ${file.pathname}`);
