import { constants } from 'node:os';
import { Problem } from '../../../../shared/problems.ts';
import { StartFailed } from '../init/session.ts';

const { EACCES, ENOENT, ENOEXEC, ENOTDIR, ENOSPC, EDQUOT, EISDIR, E2BIG, EAGAIN, ELOOP } = constants.errno;
const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** Turns a failure of the init into a Problem for the user. `undefined` for any other error. */
export function startFailure(error: unknown): Problem | undefined {
  if (!(error instanceof StartFailed)) return undefined;
  const { what, errno, text } = error;
  const why = names.get(errno) ?? `error ${errno}`;
  switch (what) {
    case 'workdir':
      return new Problem(
        'start_failed',
        `The program cannot start in ${text}: it is missing or closed to the run’s user (${why}). Give another "workdir", as in "/work".`,
      );
    case 'file':
      return errno === ENOSPC || errno === EDQUOT
        ? new Problem(
            'disk_limit',
            `The files do not fit into limits.diskBytes (${text}). Raise it, or send less.`,
          )
        : new Problem(
            'start_failed',
            `The file ${text} could not be written (${why}). Files go below the workdir, which must be writable: "/work" is.`,
          );
    case 'exec':
      return execFailure(text, errno, why);
    case 'get':
      return new Problem('start_failed', `The file ${text} could not be read (${why}).`);
    case 'unlink':
      return new Problem('start_failed', `The file ${text} could not be removed (${why}).`);
    case 'start':
      return errno === EAGAIN
        ? new Problem('start_failed', 'The program could not be started within limits.pids. Raise it.')
        : new Problem('start_failed', `The program could not be started: ${text} (${why}).`);
    default:
      return what satisfies never;
  }
}

function execFailure(command: string, errno: number, why: string): Problem {
  const named = `The command "${command}"`;
  if (errno === ENOENT || errno === ENOTDIR || errno === ELOOP)
    return new Problem(
      'command_not_found',
      `${named} does not exist in the image. Check its spelling and path; an image without a shell has no sh.`,
    );
  if (errno === EACCES || errno === EISDIR)
    return new Problem(
      'command_not_executable',
      `${named} exists in the image but cannot be executed by the run’s user. Check its mode, or start it by its interpreter.`,
    );
  if (errno === E2BIG)
    return new Problem(
      'start_failed',
      'Command line and environment are too long: one of their strings, or all of them together. Shorten them, or send what is long as a file or as stdin.',
    );
  if (errno === ENOEXEC)
    return new Problem(
      'start_failed',
      `${named} is no program for this machine (exec format error). A script needs a first line like "#!/bin/sh".`,
    );
  return new Problem('start_failed', `${named} could not be executed (${why}).`);
}
