import type { Context } from '../context.ts';
import { ApiError, type ShownProblem } from '../errors.ts';

type Outcome = { id: string; problem: ShownProblem | null };

/**
 * Does one thing to several: each that succeeds is printed by its id (as `docker rm` does), each that the server
 * refuses is told, and the others are done all the same. Exit code 1 if any was refused.
 */
export async function forEach(
  context: Context,
  ids: readonly string[],
  act: (id: string) => Promise<unknown>,
): Promise<number> {
  const outcomes: Outcome[] = [];
  for (const id of ids) {
    try {
      await act(id);
      outcomes.push({ id, problem: null });
      if (!context.json) await context.out.line(id);
    } catch (error) {
      // Without a server the rest would fail alike.
      if (!(error instanceof ApiError)) throw error;
      outcomes.push({ id, problem: error.problem });
      await context.printProblem({ ...error.problem, title: `${id}: ${error.problem.title}` });
    }
  }
  if (context.json) await context.printJson({ data: outcomes });
  return outcomes.some(({ problem }) => problem !== null) ? 1 : 0;
}
