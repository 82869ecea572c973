import { createParser } from 'eventsource-parser';

export type SseEvent = { id: string | undefined; event: string | undefined; data: string };

/** Reads server-sent events one after another, as slowly as it is asked. */
export function sseReader(response: Response) {
  if (response.body === null) throw new Error('no body');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const waiting: SseEvent[] = [];
  const comments: string[] = [];
  let bytes = 0;
  const parser = createParser({
    onEvent: ({ id, event, data }) => waiting.push({ id, event, data }),
    onComment: (comment) => comments.push(comment),
  });
  const pull = async (): Promise<boolean> => {
    const { done, value } = await reader.read();
    if (done) return false;
    bytes += value.length;
    parser.feed(value);
    return true;
  };
  return {
    comments,
    get bytes() {
      return bytes;
    },
    /** The next event; undefined at the end of the stream. */
    async next(): Promise<SseEvent | undefined> {
      while (waiting.length === 0) if (!(await pull())) return undefined;
      return waiting.shift();
    },
    async comment(): Promise<string> {
      while (comments.length === 0) if (!(await pull())) throw new Error('the stream ended');
      return comments[0] as string;
    },
    async all(): Promise<SseEvent[]> {
      const events: SseEvent[] = [];
      for (let event = await this.next(); event !== undefined; event = await this.next()) events.push(event);
      return events;
    },
    close: () => reader.cancel(),
  };
}
