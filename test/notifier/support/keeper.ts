import type { ServerResponse } from 'node:http';
import { type Received, type Receiver, startReceiver } from '../../support/receiver.ts';

export type Keeper = {
  receiver: Receiver;
  url: string;
  /** Requests that came and have no answer yet, the oldest first. */
  held: { one: Received; response: ServerResponse }[];
  /** The most of them that there were at once. */
  most(): number;
  /** Answers all that is held, and from now on whatever comes, with this status. */
  answer(status: number): void;
  /** From now on nothing is answered. */
  hold(): void;
  /** `webhook-id`s of what came, without repetition. */
  ids(): Set<string>;
  stop(): Promise<void>;
};

/** A receiver that answers nobody until it is told to. */
export async function startKeeper(): Promise<Keeper> {
  const receiver = await startReceiver();
  const held: Keeper['held'] = [];
  let most = 0;
  let status: number | undefined;
  receiver.answer((one, response) => {
    if (status !== undefined) {
      response.writeHead(status).end();
      return;
    }
    held.push({ one, response });
    most = Math.max(most, held.length);
    response.on('close', () => {
      const at = held.findIndex((other) => other.response === response);
      if (at >= 0) held.splice(at, 1);
    });
  });
  return {
    receiver,
    url: receiver.url,
    held,
    most: () => most,
    answer(next) {
      status = next;
      for (const { response } of held.splice(0)) response.writeHead(next).end();
    },
    hold() {
      status = undefined;
    },
    ids: () => new Set(receiver.received.map(({ headers }) => String(headers['webhook-id']))),
    stop: () => receiver.stop(),
  };
}
