/** The large fields that users write in requests for runs and services. */
type Bulky = {
  code?: string | undefined;
  stdin?: string | undefined;
  stdinEncoding?: Encoding;
  inputs?: {
    stdin?: string | undefined;
    stdinEncoding: Encoding;
    expectedStdout?: string | undefined;
  }[];
  files?: { content: string; encoding: Encoding }[];
};
type Encoding = 'utf8' | 'base64';

/** Replaces a text in the JSON: the number of its bytes, which follow after the JSON. */
type Hollow = string | number | undefined;

const lengthBytes = 4;

/**
 * A request, or a part of one, as bytes: the length of its JSON (32 bits, big-endian), the JSON, then the bytes of its texts,
 * one after another. So a base64 text takes only the space of the bytes it stands for, and no line ends must be escaped.
 */
export function packRequest(request: Bulky): Buffer[] {
  const bytes: Buffer[] = [];
  const hollow = (text: string | undefined, encoding: Encoding): Hollow => {
    if (text === undefined) return undefined;
    const own = Buffer.from(text, encoding);
    // A text is packed only if exactly the same text comes back; otherwise it stays in the JSON. The same bytes can be written in
    // base64 in two ways, and half a surrogate pair is not valid UTF-8.
    const same = encoding === 'base64' ? own.toString('base64') === text : text.isWellFormed();
    if (!same) return text;
    bytes.push(own);
    return own.length;
  };
  const { code, stdin, stdinEncoding, inputs, files } = request;
  const hollowed = {
    ...request,
    code: hollow(code, 'utf8'),
    stdin: hollow(stdin, stdinEncoding ?? 'utf8'),
    inputs: inputs?.map((one) => ({ ...one, stdin: hollow(one.stdin, one.stdinEncoding) })),
    files: files?.map((one) => ({ ...one, content: hollow(one.content, one.encoding) })),
  };
  // The last, so that a worker of an earlier version, which does not know of them, finds the others where they are.
  const withExpected = hollowed.inputs?.map((one) => ({
    ...one,
    expectedStdout: hollow(one.expectedStdout, 'utf8'),
  }));
  const json = Buffer.from(JSON.stringify({ ...hollowed, inputs: withExpected }));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(json.length);
  return [length, json, ...bytes];
}

/** Throws if the bytes are not a packed request. */
export function unpackRequest(packed: Buffer): Bulky {
  const end = lengthBytes + packed.readUInt32BE(0);
  const request = JSON.parse(packed.toString('utf8', lengthBytes, end)) as {
    code?: Hollow;
    stdin?: Hollow;
    stdinEncoding?: Encoding;
    inputs?: { stdin?: Hollow; stdinEncoding: Encoding; expectedStdout?: Hollow }[];
    files?: { content: Hollow; encoding: Encoding }[];
  };
  let at = end;
  const fill = (text: Hollow, encoding: Encoding): string | undefined => {
    if (typeof text !== 'number') return text;
    at += text;
    if (at > packed.length) throw new Error('it is cut');
    return packed.toString(encoding, at - text, at);
  };
  // In the order in which they were packed. A field that was absent stays absent.
  if (request.code !== undefined) request.code = fill(request.code, 'utf8');
  if (request.stdin !== undefined) request.stdin = fill(request.stdin, request.stdinEncoding ?? 'utf8');
  for (const one of request.inputs ?? [])
    if (one.stdin !== undefined) one.stdin = fill(one.stdin, one.stdinEncoding);
  for (const one of request.files ?? []) one.content = fill(one.content, one.encoding);
  for (const one of request.inputs ?? [])
    if (one.expectedStdout !== undefined) one.expectedStdout = fill(one.expectedStdout, 'utf8');
  return request as Bulky;
}
