import type { Command } from 'commander';
import type { ProblemBody } from '../../shared/contracts/problem.ts';
import { type Config, loadConfig } from './config/config.ts';
import type { ShownProblem } from './errors.ts';
import { ApiClient } from './http/api-client.ts';
import { type Colors, colorsFor } from './output/colors.ts';
import { jsonText, printable } from './output/harmless.ts';
import { printProblem, printProblemJson } from './output/print-error.ts';
import type { Sink } from './output/sink.ts';

type CommonOptions = { url?: string; apiKey?: string; json?: boolean; quiet?: boolean };

/** What every command works with. */
export type Context = {
  config: Config;
  api: ApiClient;
  out: Sink;
  err: Sink;
  /** The colours for stdout. */
  colors: Colors;
  json: boolean;
  quiet: boolean;
  /** A line for the user on stderr, unless --quiet. */
  note: (text: string) => void;
  printJson: (value: unknown) => Promise<void>;
  printProblem: (problem: ShownProblem | ProblemBody) => Promise<void>;
};

/** Both streams. They are made only once, because each `Sink` adds a listener to its stream. */
export type Streams = {
  out: Sink;
  err: Sink;
  /** Whether errors are printed as JSON. It is a guess until the command line is parsed. */
  json: boolean;
};

export function openContext(command: Command, streams: Streams): Context {
  const { out, err } = streams;
  const options = command.optsWithGlobals<CommonOptions>();
  const json = options.json === true;
  streams.json = json;
  const quiet = options.quiet === true;
  const errColors = colorsFor(err, process.env);
  const note = (text: string) => {
    if (!quiet) void err.line(errColors.dim(`runlet: ${printable(text)}`));
  };
  const config = loadConfig(options);
  if (config.file.exposed && config.apiKeyFrom === 'file')
    note(`${config.file.path} holds your key and others may read it: chmod 600 it.`);
  for (const fault of config.file.faults) note(fault);
  return {
    config,
    api: new ApiClient(config.url, config.apiKey, note),
    out,
    err,
    colors: colorsFor(out, process.env),
    json,
    quiet,
    note,
    printJson: (value) => out.line(jsonText(value, 2)),
    printProblem: (problem) =>
      json ? printProblemJson(problem, err) : printProblem(problem, err, errColors),
  };
}
