import { WebSocket } from 'ws';

export type Connected = ReturnType<typeof connectPiston>;

/** A client of `/connect`, with all that it was told. */
export function connectPiston(base: string) {
  const socket = new WebSocket(`${base.replace('http', 'ws')}/connect`);
  const messages: Record<string, unknown>[] = [];
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString())));
  socket.on('error', () => {});
  return {
    socket,
    messages,
    opened: new Promise<void>((resolve) => socket.once('open', () => resolve())),
    closed: new Promise<{ code: number; reason: string }>((resolve) =>
      socket.once('close', (code, reason: Buffer) => resolve({ code, reason: reason.toString() })),
    ),
    send: (message: unknown) => socket.send(JSON.stringify(message)),
    /** All of one stream so far. */
    text: (stream: string) =>
      messages
        .filter((message) => message.stream === stream)
        .map(({ data }) => data)
        .join(''),
  };
}
