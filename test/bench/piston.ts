import { z } from 'zod';
import { ensureLoaded } from '../support/lab-images.ts';
import type { Runlet } from '../support/runlet.ts';
import { type Context, withRunlet } from './context.ts';
import { compared, median, type Row, timed } from './measure.ts';

type Program = { language: string; code: string; prints: string };

const programs: Program[] = [
  { language: 'bash', code: 'echo hi', prints: 'hi\n' },
  { language: 'python', code: 'print(1)', prints: '1\n' },
];

/** No program here takes as long. */
const deadlineMs = 60_000;

const runtimes = z.array(z.object({ language: z.string(), aliases: z.array(z.string()) }));
const execution = z.object({ run: z.object({ stdout: z.string() }) });

/**
 * The same program through a Piston-compatible server (its API v2), turn by turn. The server is not ours: what it does
 * not answer as it should is said, and costs no more than its own row.
 */
export async function piston(context: Context): Promise<Row[]> {
  const { piston: url, lab, say } = context;
  if (url === undefined) {
    say('without Piston: --piston names no server');
    return [];
  }
  const base = url.replace(/\/+$/, '');
  let offered: Set<string>;
  try {
    const found = await ask(`${base}/api/v2/runtimes`, runtimes);
    offered = new Set(found.flatMap(({ language, aliases }) => [language, ...aliases]));
  } catch (error) {
    say(`without Piston: ${(error as Error).message}`);
    return [];
  }
  for (const definition of ['debian', 'python']) await ensureLoaded(lab, definition);
  return withRunlet(context, {}, async (runlet) => {
    const rows: Row[] = [];
    for (const program of programs) {
      if (offered.has(program.language)) rows.push(...(await measured(context, runlet, base, program)));
      else say(`without Piston’s ${program.language}: ${base} does not have it`);
    }
    return rows;
  });
}

async function measured(
  { rounds, say }: Context,
  runlet: Runlet,
  base: string,
  program: Program,
): Promise<Row[]> {
  const { language, code, prints } = program;
  const theirs: number[] = [];
  const ours: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    try {
      theirs.push(await timed(() => execute(base, program)));
    } catch (error) {
      say(`without Piston’s ${language}: ${(error as Error).message}`);
      return [];
    }
    ours.push(
      await timed(async () => {
        const { status, stdout } = await runlet.run({ language, code });
        if (stdout !== prints) throw new Error(`${language}: ${status}, printed ${JSON.stringify(stdout)}`);
      }),
    );
  }
  return [compared(`${language} p50, vs Piston at ${base}`, [median(ours), median(theirs)], 'ms', '< 0.50')];
}

async function execute(base: string, { language, code, prints }: Program): Promise<void> {
  const url = `${base}/api/v2/execute`;
  const { run } = await ask(url, execution, { language, version: '*', files: [{ content: code }] });
  // It answers 200 to a program that failed, too.
  if (run.stdout !== prints) throw new Error(`${url}: printed ${JSON.stringify(run.stdout)}`);
}

/** Its answer, which must be of this kind. Rejects with what was asked and what came instead. @param body given: POST */
async function ask<T>(url: string, kind: z.ZodType<T>, body?: unknown): Promise<T> {
  const headers = { 'content-type': 'application/json' };
  const posted = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
  let status: number;
  let text: string;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(deadlineMs), ...posted });
    status = answer.status;
    text = await answer.text();
  } catch (error) {
    // fetch itself says no more than that it failed.
    const { cause, message } = error as Error;
    throw new Error(`${url}: ${cause instanceof Error ? cause.message : message}`);
  }
  if (status !== 200) throw new Error(`${url}: ${status} ${text}`);
  const parsed = kind.safeParse(json(text));
  if (!parsed.success) throw new Error(`${url}: not as Piston’s API v2 answers: ${text.slice(0, 500)}`);
  return parsed.data;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
