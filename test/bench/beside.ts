import { type Context, type Driven, withDrivers } from './context.ts';
import { compared, median, type Row, timed } from './measure.ts';
import type { Peer, PeerKind } from './peers.ts';
import { post } from './post.ts';
import type { Program } from './servers.ts';
import { programs, subjects } from './subjects.ts';

/** The same program through a server of others, turn by turn: what it takes one at a time. */
export const beside =
  (kind: PeerKind, goal: string) =>
  async (context: Context): Promise<Row[]> => {
    const peer = (await context.peers()).find((one) => one.kind === kind);
    if (peer === undefined) return [];
    await subjects(context);
    return withDrivers(context, {}, async (driven) => {
      const rows: Row[] = [];
      for (const program of programs) {
        if (peer.has(program.language)) rows.push(...(await measured(context, driven, peer, program, goal)));
        else context.say(`without ${kind}’s ${program.language}: ${peer.url} does not have it`);
      }
      return rows;
    });
  };

async function measured(
  { rounds, say }: Context,
  driven: Driven[],
  peer: Peer,
  program: Program,
  goal: string,
): Promise<Row[]> {
  const { language, code, prints } = program;
  const theirs: number[] = [];
  const ours = driven.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    try {
      theirs.push(await timed(() => peer.execute(program)));
    } catch (error) {
      say(`without ${peer.kind}’s ${language}: ${(error as Error).message}`);
      return [];
    }
    for (const [i, { runlet }] of driven.entries()) {
      const { ms, run } = await post(runlet, { language, code });
      if (run.stdout !== prints) throw new Error(`${language} printed ${JSON.stringify(run.stdout)}`);
      ours[i]?.push(ms);
    }
  }
  return driven.map(({ driver }, i) =>
    compared(
      `${driver}: ${language} p50, vs ${peer.kind} at ${peer.url}`,
      [median(ours[i] ?? []), median(theirs)],
      'ms',
      goal,
    ),
  );
}
