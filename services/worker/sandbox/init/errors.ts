import type { FailedStep } from './frames.ts';

/** The init could not do what it was told; the sandbox is as it was before. */
export class StartFailed extends Error {
  override readonly name = 'StartFailed';
  readonly what: FailedStep;
  readonly errno: number;
  /** The path or the command that it was about. */
  readonly text: string;
  constructor(what: FailedStep, errno: number, text: string) {
    super(`${what}: error ${errno} (${text})`);
    this.what = what;
    this.errno = errno;
    this.text = text;
  }
}

/** A file was to be read that has more bytes than are wanted. */
export class FileTooLarge extends Error {
  readonly sizeBytes: number;
  constructor(sizeBytes: number) {
    super(`a file of ${sizeBytes} bytes`);
    this.sizeBytes = sizeBytes;
  }
}

/** The sandbox is gone, or not to be trusted any further: its cause says why, where that is known. */
export class SandboxLost extends Error {
  override readonly name = 'SandboxLost';
}
