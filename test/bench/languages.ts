import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTool } from '../../infra/parts/tools.ts';
import { commandLines, findLanguage, type Language, listLanguages } from '../../shared/languages/index.ts';
import type { Lab } from '../support/lab.ts';
import { loadImages } from '../support/lab-images.ts';
import type { Runlet } from '../support/runlet.ts';
import { type Context, withoutPool, withRunlet } from './context.ts';
import { hellos } from './hellos.ts';
import { alone, compared, median, type Row } from './measure.ts';
import { post, type Sample, warmOf } from './post.ts';
import { timedProcess } from './spawner.ts';
import { shell } from './subjects.ts';

/** Between two of them the pool replaces what was used. */
const spacingMs = 300;

type Measured = { one: Language; code: string; warm: Sample[]; bare: number[]; cold: Sample[] };

/**
 * `hi` in every language whose image can be had here, compiler included: each in its turn, as requests for many languages
 * come, so that the pool holds one of each and no more. Beside it the same command lines on this machine, where it has
 * the programs; and a few of the same requests where there is no pool.
 */
export async function languages(context: Context): Promise<Row[]> {
  const { lab, say } = context;
  const all: Measured[] = [];
  for (const one of chosen(context.languages)) {
    const code = hellos[one.name];
    if (code === undefined) throw new Error(`test/bench/hellos.ts has nothing for ${one.name}`);
    if (await canHave(lab, one, say)) all.push({ one, code, warm: [], bare: [], cold: [] });
  }
  if (all.length === 0) return [];
  await withRunlet(context, {}, (runlet) => warm(context, runlet, all));
  await withRunlet(context, withoutPool, (runlet) => cold(context, runlet, all));
  return all.flatMap(rowsOf);
}

async function warm({ raw, rounds, say }: Context, runlet: Runlet, all: Measured[]): Promise<void> {
  for (let round = 0; round <= Math.ceil(rounds / 4); round += 1) {
    say(`languages, round ${round} …`);
    for (const { one, code, warm, bare } of apart(all)) {
      await raw.calm(spacingMs);
      const sample = await greeting(runlet, one, code);
      const ms = await bareRun(one, code);
      // The first of each brings its image's files into memory.
      if (round === 0) continue;
      warm.push(sample);
      if (ms !== undefined) bare.push(ms);
    }
  }
}

/** Few: each takes as long as many warm ones. The images' files are in memory by now. */
async function cold({ raw, rounds, say }: Context, runlet: Runlet, all: Measured[]): Promise<void> {
  for (let i = 0; i < 5; i += 1) await post(runlet, shell.request);
  for (let round = 1; round <= Math.max(Math.min(3, rounds), Math.ceil(rounds / 8)); round += 1) {
    say(`languages, cold, round ${round} …`);
    for (const { one, code, cold } of all) {
      await raw.drained();
      cold.push(await greeting(runlet, one, code));
    }
  }
}

async function greeting(runlet: Runlet, { name }: Language, code: string): Promise<Sample> {
  const sample = await post(runlet, { language: name, code });
  if (sample.run.stdout !== 'hi\n') throw new Error(`${name} printed ${sample.run.stdout}`);
  return sample;
}

function rowsOf({ one, warm, bare, cold }: Measured): Row[] {
  const what = `language ${one.name}${one.compile === undefined ? '' : ', compiled'}`;
  const warmMs = warm.map(({ ms }) => ms);
  const coldMs = cold.map(({ ms }) => ms);
  return [
    alone(`${what} (${warmOf(warm)})`, warmMs),
    ...(bare.length === 0
      ? []
      : [compared(`${what} p50, vs the same bare`, [median(warmMs), median(bare)], 'ms')]),
    alone(`cold ${what} (${cold.length} runs)`, coldMs),
  ];
}

function chosen(names: string[]): readonly Language[] {
  if (names.length === 0) return listLanguages();
  return names.map((name) => {
    const found = findLanguage(name);
    if ('fault' in found) throw new Error(`There is no language "${name}".`);
    return found.language;
  });
}

async function canHave(lab: Lab, { name, image }: Language, say: Context['say']): Promise<boolean> {
  // Ours is written for one processor.
  if (name === 'assembly' && process.arch !== 'x64') return false;
  try {
    await loadImages(lab, [image]);
    return true;
  } catch (error) {
    say(`without ${name}: ${(error as Error).message.split('\n')[0]}`);
    return false;
  }
}

/** Those of one image far from one another. */
function apart(all: Measured[]): Measured[] {
  const seen = new Map<string, number>();
  return all
    .map((measured) => {
      const turn = seen.get(measured.one.image) ?? 0;
      seen.set(measured.one.image, turn + 1);
      return { turn, measured };
    })
    .sort((a, b) => a.turn - b.turn)
    .map(({ measured }) => measured);
}

/** What the language's command lines take on this machine itself; `undefined` where it lacks their programs. */
async function bareRun(one: Language, code: string): Promise<number | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-bare-'));
  const own = (text: string) => text.replaceAll('/tmp', `${folder}/tmp`);
  try {
    mkdirSync(join(folder, 'tmp'));
    writeFileSync(join(folder, one.fileName), code);
    const { compile, run } = commandLines(one, { entry: one.fileName, files: [one.fileName] });
    const lines = [...(compile ? [compile] : []), run].map((argv) => argv.map(own));
    if (!lines.every(([program = '']) => program.startsWith('/') || findTool(program))) return undefined;
    let ms = 0;
    let stdout = '';
    for (const argv of lines) {
      const timed = await timedProcess(argv, mapped(one.env, own), folder);
      ms += timed.ms;
      stdout = timed.stdout;
    }
    return stdout === 'hi\n' ? ms : undefined;
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const mapped = (env: Record<string, string>, own: (text: string) => string) =>
  Object.fromEntries(Object.entries(env).map(([name, value]) => [name, own(value)]));
