import { z } from 'zod';
import { run } from '../../../shared/contracts/run.ts';
import { service } from '../../../shared/contracts/service.ts';
import { eventTypes, webhook } from '../../../shared/contracts/webhook.ts';

const timestamp = z.iso.datetime({ precision: 3 }).meta({ description: 'When it happened.' });

export const runFinishedPayload = z
  .object({
    type: z.literal('run.finished'),
    timestamp,
    data: run
      .extend({
        url: z.string().meta({ description: 'Where all of the run is, with an API key.' }),
        cutFields: z.array(z.string()).meta({
          description:
            'Fields that are cut here, `outputTruncated` being true then where it is output; empty when all of it is here.',
          examples: [['stdout', 'stderr', 'steps', 'request.files']],
        }),
      })
      .meta({ id: 'FinishedRun' }),
  })
  .meta({ id: 'RunFinished' });

const aboutWebhook = <T extends string>(type: T) =>
  z.object({ type: z.literal(type), timestamp, data: webhook });

export const webhookDisabledPayload = aboutWebhook('webhook.disabled').meta({ id: 'WebhookDisabled' });
export const webhookTestPayload = aboutWebhook('webhook.test').meta({ id: 'WebhookTest' });

/** With the service as it was then; the contents of its files are empty where they are more than 16 KiB. */
export const servicePayload = z
  .object({
    type: z.enum([
      'service.ready',
      'service.idle',
      'service.stopped',
      'service.crash_looping',
      'service.failed',
      'service.removed',
    ]),
    timestamp,
    data: service,
  })
  .meta({ id: 'ServiceChanged' });

/** The body of a delivery. */
export const payload = z
  .discriminatedUnion('type', [
    runFinishedPayload,
    servicePayload,
    webhookDisabledPayload,
    webhookTestPayload,
  ])
  .meta({ id: 'WebhookPayload' });

/** The data of `GET /v1/events`. */
export const webhookEvent = z
  .object({
    type: z.enum(eventTypes).meta({ description: 'That of the payload.' }),
    webhookId: z.string().meta({ description: 'What `webhook-id` says where it is delivered.' }),
    payload,
  })
  .meta({ id: 'WebhookEvent' });
