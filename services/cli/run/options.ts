import { UsageError } from '../errors.ts';

/** The options of `runlet run`, parsed. */
export type RunOptions = {
  env?: string[];
  envFile?: string[];
  workdir?: string;
  entrypoint?: string;
  timeout?: number;
  cpuTime?: number;
  memory?: number;
  stack?: number;
  cpus?: number;
  pids?: number;
  outputLimit?: number;
  disk?: number;
  network?: string;
  isolation?: string;
  pull?: string;
  priority?: number;
  delay?: number;
  retries?: number;
  writable?: boolean;
  metadata?: [string, string][];
  detach?: boolean;
  /** `true` with --stdin, `false` with --no-stdin. */
  stdin?: boolean;
  lang?: string;
  code?: string;
  file?: string[];
  input?: string[];
  artifact?: string[];
  outputDir?: string;
  interactive?: boolean;
  tty?: boolean;
  webhook?: string;
  webhookSecret?: string;
};

type TerminalOptions = {
  interactive?: boolean | undefined;
  tty?: boolean | undefined;
  detach?: boolean | undefined;
};

/** Checks that `-t` is possible. It needs `-i`, and a terminal on our side unless the run is detached. */
export function checkTerminal({ interactive, tty, detach }: TerminalOptions): void {
  if (tty && !interactive) throw new UsageError('-t needs -i: a terminal wants somebody who types.');
  if (tty && !detach && !process.stdin.isTTY)
    throw new UsageError('stdin is no terminal here: leave out -t, and -i passes it on as it is.');
}
