import type { RunningStep } from './sandbox/init/session.ts';

/** Carries what attached clients send to a running step; the answer ends that. */
export type AttachInput = (runId: string, step: RunningStep) => () => void;
