import type { WebSocket } from 'ws';
import type { AttachError, AttachInput } from '../../../shared/contracts/attach.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { type AttachInputParts, forwardInput, parseInput } from './attach-input.ts';
import { type AttachOutputParts, sendEvents } from './attach-output.ts';

export type AttachParts = Pick<Gateway, 'closing' | 'log'> & AttachInputParts & AttachOutputParts;

/** Close codes of RFC 6455 §7.4.1 and the IANA registry. */
const closes = { normal: 1000, policy: 1008, internal: 1011, restart: 1012 } as const;
/** Proxies cut connections that say nothing for long; a client that answers no ping is gone. */
const pingMs = 15_000;
/** A client that does not answer a close is cut off. */
const closeMs = 2_000;

/**
 * One attached client, from the upgrade to the close. Its messages are taken one after another, and its socket is not
 * read while one waits for room: what a client sends too fast stays with the client.
 *
 *   exit sent         1000
 *   a bad message     an error message, 1008
 *   gateway stops     1012: attach again, with `after`
 *   fault of ours     1011
 *
 * A client that leaves changes nothing for the run, which goes on to its end or its time limit.
 * @param size of the client's terminal, sent before its first message
 */
export function attachClient(
  gateway: AttachParts,
  run: { id: string; request: Pick<RunRequest, 'interactive' | 'tty'> },
  position: string,
  size: Size | undefined,
  socket: WebSocket,
): void {
  const gone = new AbortController();
  const stop = AbortSignal.any([gone.signal, gateway.closing.signal]);
  let closing = false;
  const close = (code: number, reason: string) => {
    closing = true;
    socket.close(code, reason);
    setTimeout(() => socket.terminate(), closeMs).unref();
  };
  const tell = (problem: Problem) =>
    socket.send(JSON.stringify({ type: 'error', problem: problem.toBody() } satisfies AttachError));
  const fail = (error: unknown) => {
    gateway.log.error({ run: run.id, err: error }, 'attaching failed');
    close(closes.internal, 'internal error');
  };

  const queue: AttachInput[] = [];
  let busy = false;
  let alive = true;
  const pings = setInterval(() => {
    // While messages wait for room the socket is not read, and no pong either.
    if (!alive && !busy) return socket.terminate();
    alive = false;
    socket.ping();
  }, pingMs);
  socket.on('pong', () => {
    alive = true;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    clearInterval(pings);
    gone.abort();
  });

  const work = async () => {
    if (busy) return;
    busy = true;
    socket.pause();
    for (let input = queue.shift(); input !== undefined && !stop.aborted; input = queue.shift()) {
      const problem = refusal(input, run.request) ?? (await forwardInput(gateway, run.id, input, stop));
      if (problem !== undefined) tell(problem);
    }
    busy = false;
    alive = true;
    if (!stop.aborted) socket.resume();
  };
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (closing) return;
    const input = parseInput(data, isBinary);
    if (input instanceof Problem) {
      tell(input);
      return close(closes.policy, 'bad message');
    }
    queue.push(input);
    work().catch(fail);
  });

  if (size !== undefined) {
    queue.push({ type: 'resize', ...size });
    work().catch(fail);
  }
  sendEvents(gateway, run.id, position, socket, stop)
    .then((end) => {
      if (end === 'ended') close(closes.normal, 'the run has ended');
      else if (!gone.signal.aborted) close(closes.restart, 'attach again');
    })
    .catch(fail);
}

export type Size = { cols: number; rows: number };

/** Anybody may watch; only an interactive run can be talked to. */
function refusal(
  input: AttachInput,
  { interactive, tty }: Pick<RunRequest, 'interactive' | 'tty'>,
): Problem | undefined {
  if (!interactive)
    return new Problem('conflict', 'The run is not interactive: it can be watched, not talked to.');
  if (input.type === 'resize' && !tty)
    return new Problem('conflict', 'The run has no terminal that could be resized: ask for one with "tty".');
  return undefined;
}
