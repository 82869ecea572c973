import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import { toProblem } from '../http/errors.ts';
import { tokenName } from '../services/signed-url.ts';
import { navigates, type Pass } from './access/access.ts';
import { tokenInQuery } from './access/credentials.ts';
import { answerPage, answerProblem, answerRedirect } from './answers.ts';
import type { Caller } from './clients/caller.ts';
import type { Entrance, Prepared } from './entrance.ts';
import { Exchange } from './exchange.ts';
import { failureProblem } from './failures.ts';
import type { Failure } from './http1/connection.ts';
import type { Pool } from './http1/pool.ts';
import type { Known, KnownServices } from './known-services.ts';
import { after } from './maybe-async.ts';
import { privatePage, privatePageFields } from './private-page.ts';
import type { Target } from './target.ts';

/** Answers a request: with the container's answer, or with ours. */
export function createServe(parts: {
  entrance: Entrance;
  services: KnownServices;
  problemOf: (error: unknown) => Problem;
}) {
  const { entrance, services, problemOf } = parts;

  function serve(caller: Caller, target: Target): void | Promise<void> {
    if (target.kind === 'slash') return answerRedirect(caller, 308, target.path);
    const { method, host, fields, address } = caller;
    const wanted = { method, host, fields, address, target };
    return after(entrance.enter(wanted), (admitted) => {
      const { known, pass } = admitted;
      if (pass.keep !== undefined) return keepToken(caller, target, known, pass.keep);
      const prepared = entrance.prepare(admitted, wanted, caller.bodyLength, undefined);
      return forward(caller, known, prepared, true);
    });
  }

  /** @param again whether the service may be looked up once more if its container is not there */
  function forward(caller: Caller, known: Known, prepared: Prepared, again: boolean): void | Promise<void> {
    known.open += 1;
    const release = prepared.hold(() => caller.cut());
    const over = () => {
      release();
      services.leave(known);
    };
    let pool: ReturnType<Entrance['reach']>;
    try {
      pool = entrance.reach(known, caller);
    } catch (error) {
      over();
      throw error;
    }
    if (!(pool instanceof Promise)) return exchange(caller, known, prepared, again, pool, over);
    return pool.then(
      (reached) => exchange(caller, known, prepared, again, reached, over),
      (error) => {
        over();
        throw error;
      },
    );
  }

  function exchange(
    caller: Caller,
    known: Known,
    prepared: Prepared,
    again: boolean,
    pool: Pool | undefined,
    over: () => void,
  ): void {
    if (pool === undefined) {
      over();
      return;
    }
    const unanswered = (failure: Failure | 'full', untouched: boolean) => {
      over();
      if (caller.gone) return;
      const elsewhere = again && untouched && failure !== 'full' && failure.kind === 'refused';
      lookElsewhere(elsewhere)
        .then((moved) => {
          if (moved) return forward(caller, known, prepared, false);
          throw failureProblem(known.record.head, failure);
        })
        .catch((error) => refuse(caller, error));
    };
    /** Whether it was stopped, or restarted, since its record was read. */
    const lookElsewhere = async (may: boolean) => {
      if (!may) return false;
      await services.look(known);
      const { status, wanted } = known.record;
      return known.gone || status !== 'ready' || wanted !== 'running' || services.poolOf(known) !== pool;
    };
    new Exchange(caller, pool, { ...prepared, unanswered, over });
  }

  /** Redirects a browser that has followed a signed URL: it gets the token as a cookie, and the address without the token. */
  function keepToken(caller: Caller, target: Target, known: Known, keep: NonNullable<Pass['keep']>): void {
    const prefix = target.kind === 'path' ? `/s/${known.record.head.id}` : '';
    const seconds = Math.floor((keep.until - Date.now()) / 1000);
    const secure = entrance.proto === 'https' ? '; Secure' : '';
    const cookie = `${tokenName}=${keep.token}; Max-Age=${seconds}; Path=${prefix}/; HttpOnly; SameSite=Lax${secure}`;
    // `//host` would be another origin (RFC 3986 §4.2).
    const path = tokenInQuery(target.path).target.replace(/^[/\\]+/, '/');
    answerRedirect(caller, 303, prefix + path, ['Set-Cookie', cookie]);
  }

  function refuse(caller: Caller, error: unknown): void {
    if (!caller.gone) answerProblem(caller, problemOf(error));
  }

  /** Tells a person by a page how to get in; a program, and of anything else, by the problem. */
  async function turnAway(caller: Caller, error: unknown, target: Target): Promise<void> {
    const problem = problemOf(error);
    const byPage = problem.code === 'unauthorized' && navigates(caller.fields);
    const text = byPage ? await privatePage(target) : undefined;
    if (caller.gone) return;
    if (text === undefined) answerProblem(caller, problem);
    else answerPage(caller, problem, privatePageFields, text);
  }

  return (caller: Caller, target: Target): void => {
    try {
      const later = serve(caller, target);
      if (later instanceof Promise) later.catch((error) => turnAway(caller, error, target));
    } catch (error) {
      void turnAway(caller, error, target);
    }
  };
}

/** The problem to answer with for an error. Faults of ours, and of services, are logged. */
export function createProblemOf(log: Log) {
  return (error: unknown): Problem => {
    const problem = toProblem(error, '');
    if (problem.code === 'internal') {
      log.error({ err: error }, 'a request for a service failed');
      return new Problem(
        'internal',
        'The request could not be passed on: tell the operator, whose log has the cause.',
      );
    }
    if (problem.status >= 500)
      log.info({ code: problem.code, reason: problem.message }, 'a service did not answer');
    return problem;
  };
}
