import { Problem } from '../../../../shared/problems.ts';
import type { ImageInfo } from '../../engine/images.ts';

export type Command = { entrypoint: string[]; command: string[] };

/**
 * What is executed, by Docker's own rules:
 * - an entrypoint in the request replaces the image's, and drops the image's CMD;
 * - `[]` and `[""]` as entrypoint mean none;
 * - a command that is not empty replaces the image's CMD.
 * Throws a Problem `image_without_command` when nothing is left to execute.
 */
export function resolveCommand(
  request: { entrypoint?: string[] | undefined; command?: string[] | undefined },
  image: Pick<ImageInfo, 'entrypoint' | 'cmd'>,
  reference: string,
): Command {
  const command = request.command ?? [];
  const resolved =
    request.entrypoint === undefined
      ? { entrypoint: image.entrypoint, command: command.length > 0 ? command : image.cmd }
      : { entrypoint: isNone(request.entrypoint) ? [] : request.entrypoint, command };
  if (resolved.entrypoint.length + resolved.command.length > 0) return resolved;
  throw new Problem(
    'image_without_command',
    `${reference} says nothing about what to run. Give a "command", as in ["/bin/sh", "-c", "…"].`,
  );
}

function isNone(entrypoint: string[]): boolean {
  return entrypoint.length === 0 || (entrypoint.length === 1 && entrypoint[0] === '');
}
