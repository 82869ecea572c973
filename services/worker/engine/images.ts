import type { PullLayer } from '../../../shared/contracts/events.ts';

/** The images that the engine has. The rules of every method are in engine.ts. */
export interface Images {
  /** The image as the engine has it; `null` when it does not have it. */
  inspect(reference: string, signal?: AbortSignal): Promise<ImageInfo | null>;
  /**
   * Fetches an image from its registry. No deadline: bound it with `signal`, which also stops the engine's own
   * work. Problems: `image_not_found`, `registry_auth`, `registry_unavailable`, `platform_mismatch`, `pull_failed`.
   */
  pull(reference: string, options?: PullOptions): Promise<void>;
  /** Where its files lie on the engine's machine; `null` when it is not there, or the engine does not tell. */
  layers(reference: string, signal?: AbortSignal): Promise<ImageLayers | null>;
  list(signal?: AbortSignal): Promise<ImageSummary[]>;
  /** `false` when there was none; a Problem `conflict` while a container uses it. */
  remove(reference: string, signal?: AbortSignal): Promise<boolean>;
}

export type ImageInfo = {
  /** Digest of the image's config; names the image, and is not what a registry calls its digest. */
  id: string;
  /** The manifest's digest in the reference's repository; `null` for an image that was never pulled or pushed. */
  digest: string | null;
  architecture: string;
  os: string;
  variant: string | null;
  entrypoint: string[];
  cmd: string[];
  /** `NAME=value`. */
  env: string[];
  /** Empty when the image says nothing. */
  workdir: string;
  /** Absolute paths. */
  volumes: string[];
  user: string;
  sizeBytes: number;
  /** RFC 3339. */
  createdAt: string;
};

/** Folders on the engine's machine that overlayfs puts on one another, the topmost first. */
export type ImageLayers = string[];

export type ImageSummary = {
  reference: string;
  digest: string | null;
  id: string;
  sizeBytes: number;
  createdAt: string;
};

export type RegistryCredentials = { username: string; password: string };

export type PullOptions = {
  credentials?: RegistryCredentials | undefined;
  /** Called with all layers each time, a few times a second at most, and always once at the end. */
  onProgress?: ((layers: PullLayer[]) => void) | undefined;
  signal?: AbortSignal | undefined;
};
