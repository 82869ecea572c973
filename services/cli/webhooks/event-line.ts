import { printable } from '../output/harmless.ts';

/** An event of the stream. Its type may be any text, because a newer server may know more types. */
export type StreamedEvent = {
  webhookId: string;
  payload: { type: string; timestamp: string; data: Record<string, unknown> };
};

/** One line: the time, the type, the run or endpoint, and its present state. */
export function eventLine({ payload: { type, timestamp, data } }: StreamedEvent): string {
  const words = [timestamp, type, data.id, data.status ?? data.disabledReason];
  return printable(words.filter((word) => typeof word === 'string').join('  '));
}
