import type { Run } from '../../../../shared/contracts/run.ts';
import { judge0Language } from './languages.ts';
import type { Settings } from './settings.ts';
import type { Submission } from './submission.ts';

/** What of a submission is kept with its run, sealed with the run's request, to be shown and compared with when the run has ended. */
type Kept = { protocol: 'judge0'; settings: Settings; expectedOutput: string | null };

/** The metadata by which runs of submissions are found among others. */
export const marked = { protocol: 'judge0' };
export const isMarked = (metadata: Record<string, string>) => metadata.protocol === marked.protocol;

export const keep = ({ settings, expectedOutput }: Submission): Kept => ({
  protocol: 'judge0',
  settings,
  expectedOutput: expectedOutput?.toString('base64') ?? null,
});

/** A submission as it was sent. */
export type Sent = {
  settings: Settings;
  source: Buffer | null;
  stdin: Buffer | null;
  expectedOutput: Buffer | null;
};

/** The submission of a run; `undefined`: the run is none of a submission, or its request cannot be opened. */
export function sentWith({ request }: Pick<Run, 'request'>): Sent | undefined {
  const kept = request.compat as Kept | undefined;
  if (kept?.protocol !== 'judge0') return undefined;
  return {
    settings: kept.settings,
    source: sourceIn(request as Asked, kept.settings),
    stdin: stdinIn(request as Asked),
    expectedOutput: kept.expectedOutput === null ? null : Buffer.from(kept.expectedOutput, 'base64'),
  };
}

type Encoding = 'utf8' | 'base64';
type Input = { stdin?: string; stdinEncoding: Encoding };
type Asked = Input & {
  code?: string;
  files: { path: string; content: string; encoding: Encoding }[];
  inputs: Input[];
};

function sourceIn({ code, files }: Asked, settings: Settings): Buffer | null {
  if (code !== undefined) return Buffer.from(code);
  const name = judge0Language(settings.language_id)?.language?.fileName;
  const file = files.find(({ path }) => path === name);
  return file === undefined ? null : Buffer.from(file.content, file.encoding);
}

function stdinIn(request: Asked): Buffer | null {
  const { stdin, stdinEncoding } = request.inputs[0] ?? request;
  return stdin === undefined ? null : Buffer.from(stdin, stdinEncoding);
}
