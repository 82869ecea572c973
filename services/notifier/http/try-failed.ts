import type { AttemptFault } from '../../../shared/contracts/webhook.ts';
import { printable } from './extract.ts';

/** A message holds what strangers sent, a certificate's names for one. */
const maxCharacters = 300;

/** A try that did not reach an answer; the message is for the endpoint's owner. */
export class TryFailed extends Error {
  readonly code: AttemptFault;
  constructor(code: AttemptFault, message: string) {
    super(printable(message).slice(0, maxCharacters));
    this.code = code;
  }
}

/** A try that was broken off by this program, which is about to end: it says nothing of the receiver. */
export class TryAbandoned extends Error {
  constructor() {
    super('The notifier is stopping.');
  }
}
