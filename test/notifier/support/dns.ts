import { isIPv4 } from 'node:net';

/** The addresses of a name at this moment; `undefined`: no answer at all. */
export type Answers = (asked: number) => string[] | undefined;

const typeA = 1;
const typeAAAA = 28;

/**
 * The answer to one question (RFC 1035 §4); `undefined` to keep silent. A name that is not known is NXDOMAIN, so that nobody asks
 * any further.
 *
 * @param asked takes the name, once for a question of each of the two types that resolvers ask side by side
 */
export function answerTo(question: Buffer, names: Map<string, Answers>, asked: string[]): Buffer | undefined {
  const labels: string[] = [];
  let at = 12;
  for (let size = question[at] ?? 0; size > 0; size = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + size));
    at += 1 + size;
  }
  const name = labels.join('.').toLowerCase();
  const type = question.readUInt16BE(at + 1);
  const section = question.subarray(12, at + 5);
  const count = asked.filter((one) => one === name).length;
  if (type === typeA) asked.push(name);
  // AAAA belongs to the look-up of the A beside it, which comes first.
  const addresses = names.get(name)?.(type === typeA ? count : Math.max(0, count - 1));
  if (names.has(name) && addresses === undefined) return undefined;
  const fitting = (addresses ?? []).filter((one) => isIPv4(one) === (type === typeA));
  const records = type === typeA || type === typeAAAA ? fitting.map((one) => record(type, one)) : [];
  const head = Buffer.alloc(12);
  question.copy(head, 0, 0, 2);
  head.writeUInt16BE(names.has(name) ? 0x8180 : 0x8183, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, section, ...records]);
}

/** A resource record of the name that was asked for (a pointer to it), with no time to live. */
function record(type: number, address: string): Buffer {
  const data = isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : ipv6(address);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function ipv6(address: string): Buffer {
  const [head = [], tail = []] = address
    .split('::')
    .map((half) => half.split(':').filter((one) => one !== ''));
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  const bytes = Buffer.alloc(16);
  for (const [index, group] of groups.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  return bytes;
}
