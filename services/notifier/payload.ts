import type { Run } from '../../shared/contracts/run.ts';
import { presentRun, type RunOutput, type RunRecord } from '../../shared/stores/run-record.ts';
import type { StoredWebhook } from '../../shared/stores/webhooks.ts';
import { presentWebhook } from '../../shared/stores/webhooks.ts';

/** A field of the request that is larger is left out of the payload, as many receivers refuse megabytes. */
const maxFieldBytes = 16 * 1024;
const maxRequestBytes = 64 * 1024;

/** The body of `run.finished`: the run as GET answers it, with its output cut, and where to get what was cut. */
export function runFinished(
  record: RunRecord,
  { output, cut }: { output: RunOutput; cut: boolean },
  publicUrl: string,
): string {
  const run = presentRun(record, output);
  const { request, cutFields } = slim(run.request);
  return JSON.stringify({
    type: 'run.finished',
    timestamp: run.finishedAt ?? new Date().toISOString(),
    data: {
      ...run,
      outputTruncated: run.outputTruncated || cut,
      request,
      url: `${publicUrl.replace(/\/+$/, '')}/v1/runs/${run.id}`,
      cutFields: [...(cut ? ['stdout', 'stderr', 'steps'] : []), ...cutFields],
    },
  });
}

/** The body of `webhook.disabled`. */
export function webhookDisabled(webhook: StoredWebhook): string {
  return JSON.stringify({
    type: 'webhook.disabled',
    timestamp: webhook.updatedAt,
    data: presentWebhook(webhook),
  });
}

type Request = Run['request'];
type Holder = { content?: unknown; stdin?: unknown };

function slim(request: Request): { request: Request; cutFields: string[] } {
  const slimmed: Request = { ...request };
  const cutFields: string[] = [];
  const drop = (field: string, to: unknown) => {
    slimmed[field] = to;
    cutFields.push(`request.${field}`);
  };
  for (const field of ['code', 'stdin']) if (sizeOf(request[field]) > maxFieldBytes) drop(field, '');
  for (const [field, inner] of [
    ['files', 'content'],
    ['inputs', 'stdin'],
  ] as const) {
    const all = (request[field] ?? []) as Holder[];
    if (sizeOf(all) > maxFieldBytes)
      drop(
        field,
        all.map((one) => ({ ...one, [inner]: '' })),
      );
  }
  if (sizeOf(slimmed) <= maxRequestBytes) return { request: slimmed, cutFields };
  return { request: {}, cutFields: ['request'] };
}

const sizeOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value) ?? '');
