import { bareName, type Contender, contendersFor, nameOf, rawEngineLives, rawName } from './contenders.ts';
import { type Context, type Driven, withDrivers } from './context.ts';
import { cpuRows } from './cpu-rows.ts';
import type { Driver } from './drivers.ts';
import { alone, compared, median, perSecond, type Row } from './measure.ts';
import { type Measured, together } from './measured.ts';
import { type Subject, shell, subjects } from './subjects.ts';

/** Lanes that never pause, on each driver, beside all that can do the same: in turn, twice, the second time in the reverse order. */
export async function sustained(context: Context): Promise<Row[]> {
  const inLanguages = (await subjects(context)).filter(({ program }) => program !== undefined);
  // A rough look has enough with two.
  const all = context.rounds < 10 ? inLanguages : [shell, ...inLanguages];
  return withDrivers(context, {}, async (driven) => {
    const rows: Row[] = [];
    let bareMs = Number.NaN;
    for (const lanes of [1, 4, 16]) {
      context.say(`sustained, ${lanes} at a time …`);
      for (const [subject, found] of await measured(context, driven, all, lanes)) {
        const bare = found.get(bareName);
        // One at a time it says how fast this machine is; the goals are for one where bash takes 3.5 ms.
        if (lanes === 1 && subject.name === 'bash' && bare !== undefined) bareMs = median(bare.took);
        for (const { driver } of driven) rows.push(...rowsOf(driver, subject, lanes, found, bareMs));
        if (lanes === 16 && subject !== shell) rows.push(...cpuRows(driven, subject, lanes, found));
      }
    }
    return rows;
  });
}

type Found = Map<string, Measured>;

async function measured(
  context: Context,
  driven: Driven[],
  all: Subject[],
  lanes: number,
): Promise<Map<Subject, Found>> {
  const peers = await context.peers();
  const raw: Found = new Map();
  const results = new Map(all.map((subject): [Subject, Found] => [subject, new Map()]));
  const entries: { into: Found; contender: Contender }[] = [
    { into: raw, contender: rawEngineLives(context) },
    ...[...results].flatMap(([subject, into]) =>
      contendersFor(context, driven, peers, subject).map((contender) => ({ into, contender })),
    ),
  ];
  for (let turn = 0; turn < (context.rounds < 10 ? 1 : 2); turn += 1)
    for (const { into, contender } of turn === 0 ? entries : entries.toReversed()) {
      try {
        const earlier = into.get(contender.name);
        const now = await contender.measure(lanes);
        into.set(contender.name, earlier === undefined ? now : together(earlier, now));
      } catch (error) {
        if (driven.some(({ driver }) => nameOf(driver) === contender.name)) throw error;
        context.say(`without ${contender.name}: ${(error as Error).message}`);
      }
    }
  return new Map([...results].map(([subject, found]) => [subject, new Map([...raw, ...found])]));
}

function rowsOf(driver: Driver, subject: Subject, lanes: number, found: Found, bareMs: number): Row[] {
  const what = `${driver}: sustained ${subject.name}, ${lanes} at a time`;
  const mine = found.get(nameOf(driver));
  if (mine === undefined) return [];
  const isGoal = subject.name === 'bash' && driver !== 'engine';
  const goals: Record<string, string> = {
    [rawName]:
      isGoal && lanes === 16
        ? `≥ 8, ≥ 60 /s where bare bash ≤ 3.5 ms (${bareMs.toFixed(1)})`
        : driver === 'engine'
          ? '≥ 0.90'
          : '',
  };
  const beside = [...found].filter(([name]) => !name.startsWith(nameOf('')));
  return [
    ...beside.map(([name, peer]) =>
      compared(`${what}, vs ${name}`, [perSecond(mine), perSecond(peer)], '/s', goals[name] ?? ''),
    ),
    alone(what, mine.took, isGoal && lanes === 4 ? 'p95 ≤ 100 ms' : ''),
  ];
}
