import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { startProxied } from '../../gateway/proxy/support.ts';

/** What came back on one connection: all bytes, and whether the other side ended it. */
export type Spoken = { text: string; ended: boolean };

/** Sends bytes as they are, and listens until the other side ends, `enough` has come, or nothing has come for `quietMs`. */
export function speak(port: number, bytes: string, enough?: RegExp, quietMs = 1_000): Promise<Spoken> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    const done = (ended: boolean) => {
      socket.destroy();
      resolve({ text, ended });
    };
    socket.setTimeout(quietMs, () => done(false));
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (enough?.test(text)) done(false);
    });
    socket.on('end', () => done(true));
    socket.on('error', () => done(true));
  });
}

/** The answers in a text, each read as a strict client reads it; `rest` is what no answer explains. */
export function answersIn(text: string): {
  answers: { status: number; fields: [string, string][]; body: string }[];
  rest: string;
} {
  const answers: { status: number; fields: [string, string][]; body: string }[] = [];
  let left = text;
  for (;;) {
    const end = left.indexOf('\r\n\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(left)?.[1]);
    if (end === -1 || Number.isNaN(status)) return { answers, rest: left };
    const lines = left.slice(0, end).split('\r\n').slice(1);
    const fields = lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    const first = (name: string) => fields.find(([one]) => one === name)?.[1];
    let body = left.slice(end + 4);
    let length = 0;
    if (status >= 200 && status !== 204 && status !== 304) {
      if (first('transfer-encoding') === 'chunked') length = body.indexOf('0\r\n\r\n') + 5;
      else length = Number(first('content-length') ?? body.length);
    }
    left = body.slice(length);
    body = body.slice(0, length);
    answers.push({ status, fields, body });
    if (left === '') return { answers, rest: '' };
  }
}

export const valuesOf = (fields: [string, string][], name: string) =>
  fields.filter(([one]) => one === name).map(([, value]) => value);

/** A container that answers with exactly these bytes, and keeps what it was sent. */
export async function startSayer() {
  const heard: string[] = [];
  const sockets = new Set<Socket>();
  let says = '';
  const server = createServer((socket) => {
    let text = '';
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    socket.on('data', (data) => {
      text += data.toString('latin1');
      const headEnd = text.indexOf('\r\n\r\n');
      if (headEnd === -1) return;
      if (
        /^transfer-encoding: chunked/im.test(text.slice(0, headEnd)) &&
        !/\r\n0\r\n(?:.+\r\n)*\r\n$/.test(text)
      )
        return;
      heard.push(text);
      text = '';
      socket.write(says, 'latin1');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    say: (answer: string) => {
      says = answer;
      heard.length = 0;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export type Sayer = Awaited<ReturnType<typeof startProxiedSayer>>;

/** A gateway with its proxy, and one public service, whose container is a sayer. */
export async function startProxiedSayer() {
  const sayer = await startSayer();
  const on = await startProxied();
  const { host, id } = await on.service({ at: sayer.port });
  return {
    ...on,
    ...{ sayer, host, id },
    async stop() {
      await on.stop();
      await sayer.stop();
    },
  };
}
