import type { AttemptFault } from '../../../shared/contracts/webhook.ts';
import { printable } from './extract.ts';

/** A message may hold text that a receiver sent, such as the names in its certificate. */
const maxCharacters = 300;

/** A try that did not reach an answer; the message is for the endpoint's owner. */
export class TryFailed extends Error {
  readonly code: AttemptFault;
  constructor(code: AttemptFault, message: string) {
    super(printable(message).slice(0, maxCharacters));
    this.code = code;
  }
}

/** This program is stopping and broke the try off. That says nothing about the receiver. */
export class TryAbandoned extends Error {
  constructor() {
    super('The notifier is stopping.');
  }
}
