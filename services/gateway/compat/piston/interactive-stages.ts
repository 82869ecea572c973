import type { WebSocket } from 'ws';
import { Problem } from '../../../../shared/problems.ts';
import { firstStepOf } from '../../../../shared/run-plan.ts';
import type { StoredEvent } from '../../../../shared/stores/run-events.ts';
import { compileStep } from '../../../../shared/stores/run-record.ts';
import { followEvents, send } from '../../runs/attach-output.ts';
import { ownRecord } from '../../runs/load.ts';
import type { CompatParts } from '../protocol.ts';
import type { Job } from './request.ts';
import { stageEnd } from './stages.ts';

type Stage = 'compile' | 'run';

/**
 * Tells a client of `/connect` what its run does: `runtime` first, then of each stage `stage`, its `data`, and `exit`. Resolves when all of it
 * was sent, or when `stop` is aborted. Throws a Problem where the run could not be carried out.
 */
export async function sendStages(
  gateway: CompatParts,
  tenant: string,
  id: string,
  { runtime, request }: Job,
  socket: WebSocket,
  stop: AbortSignal,
): Promise<'ended' | 'stopped'> {
  const say = (message: Record<string, unknown>) => send(socket, [JSON.stringify(message)]);
  let stage: Stage | undefined;
  const enter = async (next: Stage) => {
    if (next === stage) return;
    // A program is started only after a compiler that succeeded.
    if (stage !== undefined) await say({ type: 'exit', stage, code: 0, signal: null });
    stage = next;
    await say({ type: 'stage', stage });
  };
  const take = async (event: StoredEvent) => {
    const { type, data } = event;
    if (type === 'status' && JSON.parse(data.toString()).status === 'running')
      return enter(stageOf(firstStepOf(request)));
    if (type !== 'stdout' && type !== 'stderr') return;
    await enter(stageOf(event.step));
    if (data.length > 0) await say({ type: 'data', stream: type, data: data.toString() });
  };

  await say({ type: 'runtime', language: runtime.language, version: runtime.version });
  const end = await followEvents(gateway, id, '0', stop, async (page) => {
    for (const event of page) await take(event);
  });
  if (end === 'stopped') return end;
  const { state, status } = await ownRecord(gateway, tenant, id);
  const last = state.steps.at(-1);
  const {
    code,
    signal,
    message,
    status: verdict,
  } = stageEnd(last ?? { status, exitCode: null, signal: null, limit: null }, state.error);
  if (last !== undefined) {
    await enter(stageOf(last.name));
    if (verdict !== 'XX') await say({ type: 'exit', stage, code, signal });
  }
  if (verdict === 'XX') throw new Problem('start_failed', message ?? 'The program was not started.');
  return end;
}

const stageOf = (step: string): Stage => (step === compileStep ? 'compile' : 'run');
