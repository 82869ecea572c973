import { z } from 'zod';
import { problemBody } from './problem.ts';
import { isBase64 } from './run-files.ts';

/** Linux's signal numbers (signal(7)). The program always runs on Linux; the gateway may run on another system. */
export const signalNumbers = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGWINCH: 28,
} as const;

type SignalName = keyof typeof signalNumbers;

/** One message of a client may carry at most this many bytes of stdin. */
export const maxStdinBytes = 1024 * 1024;

/** The number of columns, or of rows, of a terminal. */
export const terminalSide = z.int().min(1).max(10_000);

/** What an attached client may send. */
export const attachInput = z
  .discriminatedUnion('type', [
    z
      .strictObject({
        type: z.literal('stdin'),
        data: z.string().max(Math.ceil((maxStdinBytes * 4) / 3)),
        encoding: z.enum(['utf8', 'base64']).default('utf8'),
      })
      .refine(({ data, encoding }) => encoding !== 'base64' || isBase64(data), {
        path: ['data'],
        message: 'is not valid base64',
      }),
    z.strictObject({ type: z.literal('eof') }).meta({ description: 'Closes stdin.' }),
    z
      .strictObject({ type: z.literal('signal'), signal: z.enum(Object.keys(signalNumbers) as SignalName[]) })
      .meta({ description: 'To the program and what it started.' }),
    z
      .strictObject({ type: z.literal('resize'), cols: terminalSide, rows: terminalSide })
      .meta({ description: 'The size of the terminal; only with `tty`.' }),
  ])
  .meta({ id: 'AttachInput', description: 'What a client sends over the WebSocket.' });

/** What the server sends in addition to the run's events. */
export const attachError = z
  .object({ type: z.literal('error'), problem: problemBody })
  .meta({ id: 'AttachError', description: 'What could not be done.' });

export type AttachInput = z.infer<typeof attachInput>;
export type AttachError = z.infer<typeof attachError>;

/** A browser cannot set a header on a WebSocket. There the key comes as a subprotocol: this prefix, then the key in base64url. */
export const bearerProtocol = 'runlet.bearer.';
/** The server selects this subprotocol when the client offers it: a browser expects one of its own subprotocols in the answer. */
export const attachProtocol = 'runlet';
