import type { FailedStep } from './frames.ts';

/** The init could not do what it was told. The sandbox is unchanged. */
export class StartFailed extends Error {
  override readonly name = 'StartFailed';
  readonly what: FailedStep;
  readonly errno: number;
  /** The path or the command that failed. */
  readonly text: string;
  constructor(what: FailedStep, errno: number, text: string) {
    super(`${what}: error ${errno} (${text})`);
    this.what = what;
    this.errno = errno;
    this.text = text;
  }
}

/** A file has more bytes than the reader allows. */
export class FileTooLarge extends Error {
  readonly sizeBytes: number;
  constructor(sizeBytes: number) {
    super(`a file of ${sizeBytes} bytes`);
    this.sizeBytes = sizeBytes;
  }
}

/** The sandbox is gone, or must not be trusted any more. The cause says why, if it is known. */
export class SandboxLost extends Error {
  override readonly name = 'SandboxLost';
}
