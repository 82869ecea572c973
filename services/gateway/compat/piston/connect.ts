import type { WebSocket } from 'ws';
import { signalNumbers } from '../../../../shared/contracts/attach.ts';
import { newId } from '../../../../shared/ids.ts';
import { Problem } from '../../../../shared/problems.ts';
import { noContent } from '../../http/answers.ts';
import { toProblem } from '../../http/errors.ts';
import type { App } from '../../http/mount.ts';
import { textProblem } from '../../http/zod-problem.ts';
import { refuseRegistry } from '../../refuse-registry.ts';
import { forwardInput } from '../../runs/attach-input.ts';
import { submitRun } from '../../runs/submit.ts';
import type { CompatParts } from '../protocol.ts';
import { cancelUnwatched } from '../run-to-end.ts';
import { type Fields, fieldsOf } from './body.ts';
import { sendStages } from './interactive-stages.ts';
import { type Job, jobParser } from './request.ts';

/** Piston's own close codes, with its reasons. */
const closes = {
  done: [4999, 'Job Completed'],
  twice: [4000, 'Already Initialized'],
  late: [4001, 'Initialization Timeout'],
  error: [4002, 'Notified Error'],
  tooSoon: [4003, 'Not yet initialized'],
  notStdin: [4004, 'Can only write to stdin'],
  badSignal: [4005, 'Invalid signal'],
  /** RFC 6455's registry: service restart. */
  stopping: [1012, 'The server stops'],
} as const;
type Close = keyof typeof closes;

const initMs = 1_000;
/** A client that does not answer a close is cut off. */
const closeMs = 2_000;

type Parse = ReturnType<typeof jobParser>;

/** `WS /connect`: a program that is talked to while it runs. */
export function mountConnect(app: App, gateway: CompatParts): void {
  const path = '/piston/api/v2/connect';
  const parse = jobParser(gateway);
  app.get(path, (c) => {
    c.set('route', path);
    const { upgrade } = c.env;
    const { tenant } = c.var.identity;
    const { requestId } = c.var;
    if (upgrade === undefined) throw new Problem('upgrade_required', 'Ask for a WebSocket here (RFC 6455).');
    upgrade.accept = (socket) => talk(gateway, parse, { tenant, requestId }, socket);
    // No client sees this: the upgrade is the answer.
    return noContent();
  });
}

/**
 * One client, from the upgrade to the close. Its messages are taken one after another, and its socket is not read while one waits for room.
 * A client that leaves cancels its run.
 */
function talk(
  gateway: CompatParts,
  parse: Parse,
  client: { tenant: string; requestId: string },
  socket: WebSocket,
): void {
  const gone = new AbortController();
  const stop = AbortSignal.any([gone.signal, gateway.closing.signal]);
  const queue: Buffer[] = [];
  let busy = false;
  let closing = false;
  let runId: string | undefined;
  let over = false;

  const close = (how: Close) => {
    if (closing) return;
    closing = true;
    clearTimeout(timer);
    const [code, reason] = closes[how];
    socket.close(code, reason);
    setTimeout(() => socket.terminate(), closeMs).unref();
  };
  const tell = (error: unknown) => {
    if (closing) return;
    const problem = toProblem(error, client.requestId);
    if (problem.code === 'internal') gateway.log.error({ run: runId, err: error }, 'connecting failed');
    socket.send(JSON.stringify({ type: 'error', message: problem.message }));
    close('error');
  };
  const timer = setTimeout(() => {
    if (runId === undefined && !busy) close('late');
  }, initMs);

  async function begin(fields: Fields): Promise<void> {
    const job = parse(fields, true);
    await refuseRegistry(gateway, job.request);
    const id = newId('run');
    await submitRun(gateway, { id, tenant: client.tenant, request: job.request, watched: false });
    runId = id;
    if (gone.signal.aborted) return cancelUnwatched(gateway, client.tenant, id);
    follow(id, job).catch(tell);
  }

  async function follow(id: string, job: Job): Promise<void> {
    const end = await sendStages(gateway, client.tenant, id, job, socket, stop);
    over = end === 'ended';
    if (over) close('done');
    else if (!gone.signal.aborted) close('stopping');
  }

  async function take(data: Buffer): Promise<void> {
    const message = messageIn(data);
    if (message.type === 'init') return runId === undefined ? begin(message) : close('twice');
    if (message.type !== 'data' && message.type !== 'signal') return;
    if (runId === undefined) return close('tooSoon');
    const input = message.type === 'data' ? stdinIn(message) : signalIn(message);
    if (input === undefined) return close(message.type === 'data' ? 'notStdin' : 'badSignal');
    const problem = await forwardInput(gateway, runId, input, stop);
    if (problem !== undefined) throw problem;
  }

  async function work(): Promise<void> {
    if (busy) return;
    busy = true;
    socket.pause();
    for (let data = queue.shift(); data !== undefined && !stop.aborted && !closing; data = queue.shift())
      await take(data).catch(tell);
    busy = false;
    socket.resume();
  }

  socket.on('message', (data: Buffer) => {
    if (closing) return;
    queue.push(data);
    void work();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    clearTimeout(timer);
    gone.abort();
    if (runId !== undefined && !over) void cancelUnwatched(gateway, client.tenant, runId);
  });
}

/** Throws a Problem for a message that is no JSON object. */
function messageIn(data: Buffer): Fields {
  let value: unknown;
  try {
    value = JSON.parse(data.toString());
  } catch {
    throw new Problem('invalid_json', 'The message is not valid JSON: send one JSON object in each.');
  }
  const fault = textProblem(value);
  if (fault !== undefined) throw fault;
  return fieldsOf(value);
}

function stdinIn({ stream, data }: Fields) {
  if (stream !== 'stdin') return undefined;
  if (typeof data !== 'string') throw new Problem('validation_failed', 'data is required as a string');
  return { type: 'stdin', data, encoding: 'utf8' } as const;
}

function signalIn({ signal }: Fields) {
  return typeof signal === 'string' && Object.hasOwn(signalNumbers, signal)
    ? ({ type: 'signal', signal: signal as keyof typeof signalNumbers } as const)
    : undefined;
}
