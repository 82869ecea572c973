import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import { wholeCharacters } from '../utf8.ts';
import { outputCollector, readEvents } from './run-events.ts';
import type { RunOutput } from './run-record.ts';

/** How many bytes of each stream lists and webhooks show, for all steps together. */
const previewBytes = 16 * 1024;
/** A page of events is at most 1 MiB. These are the most pages and bytes that are read. */
const pageEvents = 16;
const maxPages = 64;
const maxReadBytes = 4 * 1024 * 1024;

export type Preview = { output: RunOutput; cut: boolean };

/** The beginning of a run's output. No more of the stream is read than this needs. */
export type PreviewOutput = (id: string, attempt: number) => Promise<Preview>;

export const previewer =
  (redis: RedisConnection, keys: Keys): PreviewOutput =>
  (id, attempt) =>
    previewOutput(redis, keys, id, attempt);

async function previewOutput(
  redis: RedisConnection,
  keys: Keys,
  id: string,
  attempt: number,
): Promise<Preview> {
  const collector = outputCollector(attempt);
  const streams = { stdout: new Beginning(), stderr: new Beginning() };
  let after = '0';
  let ended = false;
  let readBytes = 0;
  for (let page = 0; page < maxPages && readBytes < maxReadBytes && !ended; page++) {
    const events = await readEvents(redis, keys, id, after, pageEvents);
    for (const event of events) {
      readBytes += event.data.length;
      if (event.attempt !== attempt) continue;
      if (event.type === 'stdout' || event.type === 'stderr')
        collector.add({ ...event, data: streams[event.type].take(event.data) });
    }
    ended = events.length < pageEvents;
    after = events.at(-1)?.id ?? after;
    if (streams.stdout.cut && streams.stderr.cut) break;
  }
  return { output: collector.output(), cut: !ended || streams.stdout.cut || streams.stderr.cut };
}

class Beginning {
  cut = false;
  #size = 0;

  /** Returns as much of the data as there is room for. */
  take(data: Buffer): Buffer {
    const room = previewBytes - this.#size;
    if (data.length <= room) {
      this.#size += data.length;
      return data;
    }
    // An entry that is cut must end with a whole character. In text, entries that are not cut always do.
    const piece = this.cut ? data.subarray(0, 0) : wholeCharacters(data.subarray(0, room));
    this.cut = true;
    this.#size = previewBytes;
    return piece;
  }
}
