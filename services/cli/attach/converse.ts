import { isUtf8 } from 'node:buffer';
import type { ReadStream } from 'node:tty';
import type { ExitEvent } from '../../../shared/contracts/events.ts';
import type { Context } from '../context.ts';
import { openPullView } from '../output/open-pull-view.ts';
import type { RunEvent } from '../run/follow.ts';
import { observe } from '../run/observe.ts';
import { showRun } from '../run/show-run.ts';
import { Attachment } from './attach-run.ts';
import { sizeOf, watchSize } from './size.ts';
import { RawTerminal } from './terminal.ts';

const pieceBytes = 64 * 1024;

/** `runlet run -i` and `-it`: our stdin is the program's stdin until the program ends. */
export async function converse(
  context: Context,
  runId: string,
  tty: boolean,
  onClosed: () => void,
  watch: (events: AsyncIterable<RunEvent>) => AsyncIterable<RunEvent> = (events) => events,
): Promise<ExitEvent | undefined> {
  const terminal = tty ? new RawTerminal(process.stdin as ReadStream) : undefined;
  let running = false;
  let connected = false;
  // Without a connection, and before the program has started, we handle Ctrl-C ourselves: nobody else would receive it.
  const settle = () => (running && connected ? terminal?.take() : terminal?.release());
  let stopSize = () => {};
  const attachment = new Attachment(context.api, runId, {
    note: context.note,
    ...(tty && { size: () => sizeOf(process.stdout) }),
    onConnected: (now) => {
      connected = now;
      settle();
      stopSize();
      if (now && tty)
        stopSize = watchSize(process.stdout, (size) => attachment.trySend({ type: 'resize', ...size }));
    },
  });
  const output = context.json ? {} : { out: context.out, err: context.err };
  const events = observe(watch(attachment.events()), (event) => {
    if (event.type === 'status') running = event.data.status === 'running';
    if (event.type === 'exit') running = false;
    if (event.type === 'status' || event.type === 'exit') settle();
  });
  feed(process.stdin, attachment).catch(() => {});
  try {
    const pull = openPullView(context.err, context);
    return await showRun(events, { ...output, pull, note: context.note, onClosed });
  } finally {
    stopSize();
    terminal?.release();
    process.stdin.destroy();
  }
}

/**
 * Sends our stdin to the program, as fast as the program reads it. When our stdin ends, the program's stdin ends too.
 */
async function feed(stdin: NodeJS.ReadStream, attachment: Attachment): Promise<void> {
  for await (const chunk of stdin) {
    const data = Buffer.from(chunk as Buffer);
    for (let at = 0; at < data.length; at += pieceBytes) {
      const piece = data.subarray(at, at + pieceBytes);
      const encoding = isUtf8(piece) ? 'utf8' : 'base64';
      await attachment.send({ type: 'stdin', data: piece.toString(encoding), encoding });
    }
  }
  await attachment.send({ type: 'eof' });
}
