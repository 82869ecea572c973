import type { Context } from '../context.ts';
import { ApiError, type ShownProblem } from '../errors.ts';

type Outcome = { id: string; problem: ShownProblem | null };

/**
 * Does the same to several things. Prints the id of each that succeeds (as `docker rm` does) and an error for each that
 * the server refuses. A refusal does not stop the others. The exit code is 1 if any was refused. `idOf` says what is
 * meant by a name.
 */
export async function forEach(
  context: Context,
  names: readonly string[],
  act: (id: string) => Promise<unknown>,
  idOf: (name: string) => Promise<string> = async (name) => name,
): Promise<number> {
  const outcomes: Outcome[] = [];
  for (const name of names) {
    let id = name;
    try {
      id = await idOf(name);
      await act(id);
      outcomes.push({ id, problem: null });
      if (!context.json) await context.out.line(id);
    } catch (error) {
      // If the server cannot be reached, the others would fail in the same way.
      if (!(error instanceof ApiError)) throw error;
      outcomes.push({ id, problem: error.problem });
      await context.printProblem({ ...error.problem, title: `${name}: ${error.problem.title}` });
    }
  }
  if (context.json) await context.printJson({ data: outcomes });
  return outcomes.some(({ problem }) => problem !== null) ? 1 : 0;
}
