/** Passes events on. Calls `seen` with each of them first. */
export async function* observe<T>(events: AsyncIterable<T>, seen: (event: T) => void): AsyncGenerator<T> {
  for await (const event of events) {
    seen(event);
    yield event;
  }
}
