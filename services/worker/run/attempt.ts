import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import type { Log } from '../../../shared/log.ts';
import type { RunHead } from '../../../shared/stores/run-record.ts';
import type { Holder, RunStore } from '../../../shared/stores/runs.ts';
import type { DiskWatch } from '../disk/watch.ts';
import type { ImageProvider } from '../images/image-provider.ts';
import type { Sandboxes } from '../sandbox/sandboxes.ts';
import type { CollectArtifacts } from './artifacts.ts';
import type { AttachInput } from './attach-input.ts';
import type { Stop } from './run-stop.ts';

/** One try at a run, by one worker. */
export type Attempt = {
  holder: Holder;
  head: RunHead;
  request: RunRequest;
  claimedAt: number;
  stop: Stop;
  /** The job that is done when the run's end is written; a run inside of a service has none. */
  job?: { token: string; ended: () => void };
  /** It was claimed as `running`, in the state that was foreseen. */
  running?: boolean;
  /** Called when the first program of the run has been started. */
  programStarted: () => void;
  /** Called when no program of the run runs any more: its CPUs are free, its memory is not yet. */
  programsEnded: () => void;
  /** Called when the run's end is written; its sandbox may still be there. */
  written: () => void;
};

/** What every attempt of a worker is made with. */
export type Execution = {
  runs: RunStore;
  images: ImageProvider;
  sandboxes: Pick<Sandboxes, 'takeWarm' | 'countWarm' | 'open' | 'learn'>;
  collectArtifacts: CollectArtifacts;
  /** What a run may leave in Redis, however many steps it has. */
  maxOutputBytes: number;
  attachInput: AttachInput;
  disk: Pick<DiskWatch, 'watchSandbox'>;
  log: Log;
};

/** How an attempt ended. `again`: its engine or worker was lost, and another attempt follows. `lost`: another worker has the run. */
export type Outcome = 'finished' | 'lost' | 'again';
