import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startLab } from '../support/lab.ts';
import type { Context } from './context.ts';
import type { Row } from './measure.ts';
import { parts } from './parts.ts';
import { rawEngine } from './raw-engine.ts';
import { cellsOf, printTable } from './table.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    only: { type: 'string' },
    languages: { type: 'string' },
    piston: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    [
      'npm run bench -- [--rounds 40] [--only PART,…] [--languages NAME,…] [--piston URL]',
      '',
      'Measures Runlet beside its peers (the raw Engine API, docker run, a bare process, a Piston-compatible server) on',
      'this machine, and prints one table; its rows and their numbers go to test/bench/results/ as JSON.',
      'More rounds: more samples. The parts:',
      '',
      ...parts.map(({ name, says }) => `  ${name.padEnd(10)} ${says}`),
      '',
      'Examples:',
      '  npm run bench -- --rounds 2                                   all of it, roughly',
      '  npm run bench -- --only warm,sustained',
      '  npm run bench -- --only languages --languages python,c++',
      '  npm run bench -- --only piston --piston http://127.0.0.1:2000',
    ].join('\n'),
  );
  process.exit(0);
}
const rounds = Number(values.rounds);
const only = words(values.only);
const unknown = only.filter((name) => !parts.some((part) => part.name === name));
if (!Number.isInteger(rounds) || rounds < 1) refuse('--rounds is a whole number from 1 on.');
if (unknown.length > 0)
  refuse(`There is no part "${unknown[0]}"; there are ${parts.map(({ name }) => name).join(', ')}.`);

const say = (line: string) => console.error(line);
const { lab, stop } = await startLab(say);
const raw = rawEngine(lab.dockerHost, rounds < 10 ? 250 : 1_000);
// Then the part that is measured is given up, and all that was started for it still ends in good order.
const interrupted = Promise.withResolvers<never>();
interrupted.promise.catch(() => {});
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => interrupted.reject(new Error(`The benchmark was ended by ${signal}.`)));

const context: Context = {
  lab,
  raw,
  rounds,
  piston: values.piston,
  languages: words(values.languages),
  say,
  interrupted: interrupted.promise,
};
const rows: Row[] = [];
try {
  for (const { name, measure } of parts) {
    if (only.length > 0 && !only.includes(name)) continue;
    say(`${name} …`);
    rows.push(...(await measure(context)));
  }
} finally {
  raw.close();
  await stop();
}
if (rows.length === 0) {
  console.error('bench: nothing was measured.');
  process.exit(1);
}
const shown = rows.map(cellsOf);
printTable(shown);
const folder = new URL('results/', import.meta.url);
await mkdir(folder, { recursive: true });
const file = new URL(`${new Date().toISOString().replaceAll(':', '-')}.json`, folder);
const written = {
  at: new Date().toISOString(),
  rounds,
  only,
  rows: rows.map(({ values }, i) => ({ ...shown[i], values })),
};
await writeFile(file, `${JSON.stringify(written, null, 2)}\n`);
say(`written to ${file.pathname}`);

function words(list: string | undefined): string[] {
  return (list ?? '').split(',').filter((word) => word !== '');
}

function refuse(why: string): never {
  console.error(`bench: ${why} See npm run bench -- --help.`);
  process.exit(2);
}
