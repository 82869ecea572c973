import type { Labels } from './label-set.ts';

/** Named volumes. The rules of every method are in engine.ts. */
export interface Volumes {
  /**
   * A named volume that holds these files; one that is there and filled stays as it is, so the name should say the
   * content (a digest). It outlives the worker, like an image. Answers the folder of the engine's machine that it is.
   */
  provide(spec: VolumeSpec, signal?: AbortSignal): Promise<string>;
  /**
   * An empty named volume, which the engine holds to `maxBytes` where it can; one that is there already stays as it is, with its labels.
   * Answers what the engine holds it to; `null`: to nothing.
   */
  create(name: string, labels: Labels, maxBytes: number, signal?: AbortSignal): Promise<number | null>;
  /** Quiet when there is none; a Problem `conflict` while a container uses it. */
  remove(name: string, signal?: AbortSignal): Promise<void>;
  list(labels: Labels, signal?: AbortSignal): Promise<VolumeSummary[]>;
}

export type VolumeSpec = {
  name: string;
  labels: Labels;
  files: { name: string; mode: number; data: Buffer }[];
};

/** `folder`: of the engine's machine. */
export type VolumeSummary = { name: string; labels: Labels; folder: string };
