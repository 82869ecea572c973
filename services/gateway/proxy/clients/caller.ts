import type { RequestFields } from './request-fields.ts';

/** Events of the client's side, for whoever handles the request. */
export type CallerEvents = {
  body(chunk: Buffer): void;
  bodyEnd(trailers: string[]): void;
  /** There is room again, after `write` returned false. */
  clientDrained(): void;
};

/** A request of a client and its answer, whichever parser read it. Lists are name, value, name, value. */
export interface Caller {
  readonly method: string;
  /** As the client sent it. */
  readonly host: string;
  readonly fields: Readonly<RequestFields>;
  readonly address: string;
  /** Undefined: it is chunked. */
  readonly bodyLength: number | undefined;
  /** The client has gone: nothing that is written arrives any more. */
  readonly gone: boolean;
  /** Sets what is called when the client goes; it replaces the one before. */
  whenGone(tell: () => void): void;

  listen(events: CallerEvents): void;
  /** Begins to read the body; until then none of it is read. */
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
  /** False: there is no room for more until `clientDrained`. The chunk is only valid during the call: copy what you keep. */
  write(chunk: Buffer): boolean;
  /** Sends what was held back to be joined with later pieces. Returns the same as `write`. */
  flush(): boolean;
  /** @param more the rest of the request's body is still wanted, until all has come or `discard` is called */
  end(trailers: string[], more: boolean): void;
  /** After `end`: nobody needs the rest of the request's body. */
  discard(): void;
  /** Breaks the connection off, so that the client does not take a part of the answer for the whole. */
  cut(): void;
}
