import type { RunRequest } from './contracts/run-request.ts';

/** What a request means: its files as bytes, its steps as command lines. Pure; the worker carries it out. */

export type PlannedFile = { path: string; data: Buffer; mode: number };

export type PlannedStep = {
  /** `compile`, `run`, or with inputs `run[0]`, `run[1]`, … */
  name: string;
  /** The language's own command line; `undefined`: the image's (ENTRYPOINT and CMD, or the request's). */
  argv: string[] | undefined;
  /** What follows the command line. */
  args: string[];
  /** What the program is fed first; `undefined`: nothing. */
  stdin: Buffer | undefined;
  /** stdin stays open after that, for those who attach. */
  stdinOpen: boolean;
  tty: boolean;
};

/** In the order of the request. */
export function filesOf(request: RunRequest): PlannedFile[] {
  return request.files.map(({ path, content, encoding, mode }) => ({
    path,
    data: Buffer.from(content, encoding),
    mode: Number.parseInt(mode, 8),
  }));
}

/** In the order in which they run. A step that does not succeed is the last one, but for those of other inputs. */
export function stepsOf(request: RunRequest): PlannedStep[] {
  return runSteps(request, undefined);
}

function runSteps(request: RunRequest, argv: string[] | undefined): PlannedStep[] {
  const { args, inputs, interactive, tty } = request;
  if (inputs.length === 0)
    return [{ name: 'run', argv, args, stdin: bytes(request), stdinOpen: interactive, tty }];
  return inputs.map((input, index) => ({
    name: `run[${index}]`,
    argv,
    args: [...args, ...(input.args ?? [])],
    stdin: bytes(input),
    stdinOpen: false,
    tty: false,
  }));
}

const bytes = ({ stdin, stdinEncoding }: { stdin?: string | undefined; stdinEncoding: 'utf8' | 'base64' }) =>
  stdin === undefined ? undefined : Buffer.from(stdin, stdinEncoding);
