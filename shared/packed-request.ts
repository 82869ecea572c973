/** What users give in bulk, of runs and of services. */
type Bulky = {
  code?: string | undefined;
  stdin?: string | undefined;
  stdinEncoding?: Encoding;
  inputs?: { stdin?: string | undefined; stdinEncoding: Encoding }[];
  files?: { content: string; encoding: Encoding }[];
};
type Encoding = 'utf8' | 'base64';

/** In the place of a text: how many bytes of those behind the JSON are its own. */
type Hollow = string | number | undefined;

const lengthBytes = 4;

/**
 * A request, or a part of one, as bytes: the length of its JSON (32 bits, big-endian), the JSON, and one after another the bytes of its texts. So base64
 * costs what it stands for, and no line's end is escaped.
 */
export function packRequest(request: Bulky): Buffer[] {
  const bytes: Buffer[] = [];
  const hollow = (text: string | undefined, encoding: Encoding): Hollow => {
    if (text === undefined) return undefined;
    const own = Buffer.from(text, encoding);
    // It comes back letter by letter, or it stays in the JSON: base64 can be written in two ways, and half a surrogate pair is no UTF-8.
    const same = encoding === 'base64' ? own.toString('base64') === text : text.isWellFormed();
    if (!same) return text;
    bytes.push(own);
    return own.length;
  };
  const { code, stdin, stdinEncoding, inputs, files } = request;
  const json = Buffer.from(
    JSON.stringify({
      ...request,
      code: hollow(code, 'utf8'),
      stdin: hollow(stdin, stdinEncoding ?? 'utf8'),
      inputs: inputs?.map((one) => ({ ...one, stdin: hollow(one.stdin, one.stdinEncoding) })),
      files: files?.map((one) => ({ ...one, content: hollow(one.content, one.encoding) })),
    }),
  );
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(json.length);
  return [length, json, ...bytes];
}

/** Throws for what is none. */
export function unpackRequest(packed: Buffer): Bulky {
  const end = lengthBytes + packed.readUInt32BE(0);
  const request = JSON.parse(packed.toString('utf8', lengthBytes, end)) as {
    code?: Hollow;
    stdin?: Hollow;
    stdinEncoding?: Encoding;
    inputs?: { stdin?: Hollow; stdinEncoding: Encoding }[];
    files?: { content: Hollow; encoding: Encoding }[];
  };
  let at = end;
  const fill = (text: Hollow, encoding: Encoding): string | undefined => {
    if (typeof text !== 'number') return text;
    at += text;
    if (at > packed.length) throw new Error('it is cut');
    return packed.toString(encoding, at - text, at);
  };
  // In the order in which they were packed; a field that is not there stays away.
  if (request.code !== undefined) request.code = fill(request.code, 'utf8');
  if (request.stdin !== undefined) request.stdin = fill(request.stdin, request.stdinEncoding ?? 'utf8');
  for (const one of request.inputs ?? [])
    if (one.stdin !== undefined) one.stdin = fill(one.stdin, one.stdinEncoding);
  for (const one of request.files ?? []) one.content = fill(one.content, one.encoding);
  return request as Bulky;
}
