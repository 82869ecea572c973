import type { AttemptFault } from '../../../shared/contracts/webhook.ts';

/** A try that did not reach an answer; the message is for the endpoint's owner. */
export class TryFailed extends Error {
  readonly code: AttemptFault;
  constructor(code: AttemptFault, message: string) {
    super(message);
    this.code = code;
  }
}
