import type { Run } from '../../../shared/contracts/run.ts';
import type { ServiceExec } from '../../../shared/contracts/service.ts';
import type { Context } from '../context.ts';
import { fetchList } from '../http/fetch-list.ts';
import { given } from '../http/given.ts';
import { servicePath } from '../http/paths.ts';
import { shortIds } from '../ids/short.ts';
import { formatAge } from '../output/format.ts';
import { printTable } from '../output/table.ts';
import { readVariables } from '../parse/variables.ts';
import { withoutDashes } from '../parse/words.ts';
import { exitCodeOf } from '../run/exit-code.ts';
import type { ExecOptions } from './exec.ts';
import { inRunning } from './running.ts';

/**
 * `runlet exec -d`: prints the id and returns 0 once the program has started. If it cannot start, the error says why.
 */
export async function detachIn(
  context: Context,
  name: string,
  words: string[],
  options: ExecOptions,
): Promise<number> {
  const body = given({
    command: withoutDashes(words),
    env: readVariables('program', options, context.note),
    workdir: options.workdir,
    detached: true,
  });
  const path = servicePath(name, '/exec');
  const headers = { prefer: 'wait=60' };
  const run = await inRunning(context, name, 0, () =>
    context.api.json<Run>({ method: 'POST', path, body, headers }, { onLoss: false }),
  );
  await (context.json ? context.printJson(run) : context.out.line(run.id));
  if (run.error) await context.printProblem(run.error);
  return run.status === 'succeeded' || run.finishedAt === null ? 0 : exitCodeOf(run);
}

/** `runlet exec --list`. */
export async function listIn(context: Context, name: string): Promise<void> {
  const page = await fetchList<ServiceExec>(context.api, servicePath(name, '/exec'));
  if (context.json) return context.printJson(page);
  const now = Date.now();
  const short = shortIds(
    context.out,
    page.data.map(({ id }) => id),
  );
  const rows = page.data.map(({ id, detached, status, exitCode, pid, startedAt, command }) => [
    short(id),
    status,
    String(exitCode ?? '-'),
    String(pid ?? '-'),
    detached ? 'yes' : 'no',
    formatAge(startedAt, now),
    command.join(' ').slice(0, maxShown),
  ]);
  await printTable(context, ['RUN', 'STATUS', 'EXIT', 'PID', 'DETACHED', 'AGE', 'COMMAND'], rows);
}

const maxShown = 60;
