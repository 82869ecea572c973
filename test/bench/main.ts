import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startLab } from '../support/lab.ts';
import type { Context } from './context.ts';
import { type Driver, offeredDrivers } from './drivers.ts';
import type { Row } from './measure.ts';
import { parts } from './parts.ts';
import { connectPeers, type Peer } from './peers.ts';
import { rawEngine } from './raw-engine.ts';
import { cellsOf, printTable } from './table.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    only: { type: 'string' },
    languages: { type: 'string' },
    drivers: { type: 'string' },
    piston: { type: 'string' },
    'go-judge': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    [
      'npm run bench -- [--rounds 40] [--only PART,…] [--drivers NAME,…] [--languages NAME,…]',
      '                 [--piston URL] [--go-judge URL]',
      '',
      'Measures Runlet beside its peers (the raw Engine API, docker run, a bare process, and servers that run code) on this',
      'machine, and prints one table; its rows and their numbers go to test/bench/results/ as JSON.',
      '',
      '  --rounds    more rounds: more samples',
      '  --only      these parts',
      '  --drivers   what starts the programs (RUNLET_DRIVER): parts with * are measured on each in turn, in this order;',
      '              the others on what a worker takes by itself, or on the only one that is named. Default: all that it offers',
      '  --languages these, in the part `languages`',
      '  --piston    a server with Piston’s API v2; --go-judge one with go-judge’s REST API. Both are in `sustained` as well',
      '',
      'The parts:',
      '',
      ...parts.map(({ name, says }) => `  ${name.padEnd(10)} ${says}`),
      '',
      'Examples:',
      '  npm run bench -- --rounds 2                                   all of it, roughly',
      '  npm run bench -- --only warm,sustained',
      '  npm run bench -- --only cold,burst --drivers engine',
      '  npm run bench -- --only languages --languages python,c++',
      '  npm run bench -- --only piston,sustained --piston http://127.0.0.1:2000',
      '  npm run bench -- --only go-judge,sustained --go-judge http://127.0.0.1:5050',
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

const wanted = words(values.drivers);
let drivers: Promise<Driver[]> | undefined;
let peers: Promise<Peer[]> | undefined;
const context: Context = {
  lab,
  raw,
  rounds,
  onlyDriver: wanted.length === 1 ? wanted[0] : undefined,
  drivers: () => (drivers ??= offeredDrivers({ lab, say }, wanted)),
  peers: () => (peers ??= connectPeers({ Piston: values.piston, 'go-judge': values['go-judge'] }, say)),
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
