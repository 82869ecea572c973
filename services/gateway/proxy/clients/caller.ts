import type { RequestFields } from './request-fields.ts';

/** What whoever handles a request hears from the client's side. */
export type CallerEvents = {
  body(chunk: Buffer): void;
  bodyEnd(trailers: string[]): void;
  /** The client has room again for what `write` refused. */
  clientDrained(): void;
};

/** A request that came, and the answer that goes back; whichever parser it came through. Lists are name, value, name, value. */
export interface Caller {
  readonly method: string;
  /** As it came. */
  readonly host: string;
  readonly fields: Readonly<RequestFields>;
  readonly address: string;
  /** Undefined: it is chunked. */
  readonly bodyLength: number | undefined;
  /** The client has gone: nothing that is written arrives. */
  readonly gone: boolean;
  /** The last one who is to be called when the client goes. */
  whenGone(tell: () => void): void;

  listen(events: CallerEvents): void;
  /** Begins to read the body. Until then none of it is. */
  read(): void;
  pause(): void;
  resume(): void;

  /** 1xx (RFC 9110 §15.2) */
  inform(status: number, reason: string, fields: readonly string[]): void;
  /**
   * @param length undefined: it ends with `end`. Null: an answer without a body, whatever its fields say
   * @param more what has not come of the request's body is still wanted. Else the connection ends with the answer, if any has not
   */
  answer(
    status: number,
    reason: string,
    fields: readonly string[],
    length: number | null | undefined,
    more: boolean,
  ): void;
  /** False: there is no room for more until `clientDrained`. The chunk is lent: who keeps it copies it. */
  write(chunk: Buffer): boolean;
  /** Sends what is held back for what may follow at once. Answers as `write` does. */
  flush(): boolean;
  /** @param more the rest of the request's body is still wanted, until all has come or `discard` is called */
  end(trailers: string[], more: boolean): void;
  /** After `end`: what is still to come of the request's body is for nobody. */
  discard(): void;
  /** Breaks off, so that the client does not take what it has for the whole. */
  cut(): void;
}
