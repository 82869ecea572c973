import type { PullLayer } from '../../../../shared/contracts/events.ts';

/** One line of the engine's progress; not every line has all fields. */
export type PullLine = {
  status?: string;
  id?: string;
  progressDetail?: { current?: number; total?: number };
  error?: string;
  errorDetail?: { message?: string };
};

const phases: Record<string, PullLayer['status']> = {
  'Pulling fs layer': 'waiting',
  Waiting: 'waiting',
  Downloading: 'downloading',
  'Verifying Checksum': 'downloading',
  'Download complete': 'downloading',
  Extracting: 'extracting',
  'Pull complete': 'done',
  'Already exists': 'done',
};

/** Gathers lines into the state of all layers of the image, in the order in which the engine named them. */
export class PullProgress {
  readonly #layers = new Map<string, PullLayer>();

  /** Whether the state of a layer changed. Lines about the image as a whole change nothing. */
  add(line: PullLine): boolean {
    const status = phases[line.status ?? ''];
    if (status === undefined || line.id === undefined) return false;
    const before = this.#layers.get(line.id);
    const { current, total } = line.progressDetail ?? {};
    const totalBytes = Math.max(total ?? 0, before?.totalBytes ?? 0);
    const complete = line.status === 'Download complete' || status === 'done';
    const currentBytes = complete ? totalBytes : (current ?? before?.currentBytes ?? 0);
    this.#layers.set(line.id, { id: line.id, status, currentBytes, totalBytes });
    return true;
  }

  get layers(): PullLayer[] {
    return [...this.#layers.values()];
  }
}
