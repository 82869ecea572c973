import { printable } from '../output/harmless.ts';

/** An event as the stream brings it: of any type, as a newer server may know more of them. */
export type StreamedEvent = {
  webhookId: string;
  payload: { type: string; timestamp: string; data: Record<string, unknown> };
};

/** One line: when, what, of which run or endpoint, and how it is now. */
export function eventLine({ payload: { type, timestamp, data } }: StreamedEvent): string {
  const words = [timestamp, type, data.id, data.status ?? data.disabledReason];
  return printable(words.filter((word) => typeof word === 'string').join('  '));
}
