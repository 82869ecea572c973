import { text as readAll } from 'node:stream/consumers';
import type { ReadStream } from 'node:tty';
import { InterruptedError, UsageError } from '../errors.ts';
import type { Sink } from '../output/sink.ts';

const enough = 4096;

/** Reads the secret from stdin, without the line end. */
export async function secretFromStdin(): Promise<string> {
  return (await readAll(process.stdin)).replace(/\r?\n$/, '');
}

/** Asks on the terminal, without showing what is typed. Throws if there is no terminal. */
export async function askSecret(question: string, err: Sink): Promise<string> {
  const stdin = process.stdin as ReadStream;
  if (!stdin.isTTY)
    throw new UsageError('There is no terminal to ask on: give the key on stdin, with --key-stdin.');
  await err.write(question);
  stdin.setRawMode(true);
  try {
    return await typed(stdin);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    await err.line('');
  }
}

async function typed(stdin: ReadStream): Promise<string> {
  let secret = '';
  for await (const chunk of stdin)
    for (const key of (chunk as Buffer).toString('utf8')) {
      if (key === '\r' || key === '\n') return secret;
      if (key === '\u0003') throw new InterruptedError('Nothing was stored.');
      if (key === '\u0004') return secret;
      if (key === '\u007f' || key === '\b') secret = secret.slice(0, -1);
      else if (secret.length < enough) secret += key;
    }
  return secret;
}
