import type { z } from 'zod';
import type { newWebhook } from '../../../shared/contracts/webhook.ts';
import { newWebhook as newWebhookSchema, webhookPatch } from '../../../shared/contracts/webhook.ts';
import { badField, Problem } from '../../../shared/problems.ts';
import { maxWebhooks, presentWebhook } from '../../../shared/stores/webhooks.ts';
import { targetFault, targetPolicy } from '../../../shared/webhooks/target.ts';
import type { Gateway } from '../gateway.ts';
import { noContent, ok } from '../http/answers.ts';
import { type App, mount } from '../http/mount.ts';
import { type Answer, type OnceParts, once, onceKey } from '../http/once.ts';
import { pageQuery, paginate } from '../http/query.ts';
import * as documents from './documents.ts';
import { noSuchWebhook, ownWebhook, type WebhookLoadParts } from './load.ts';
import { sendTest, type TestEventParts } from './test-event.ts';

export type WebhookParts = Pick<Gateway, 'env' | 'webhooks'> & OnceParts & WebhookLoadParts & TestEventParts;

/** Registered endpoints. */
export function mountWebhooks(app: App, gateway: WebhookParts): void {
  const options = { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES };

  mount(
    app,
    options,
    { method: 'post', path: '/v1/webhooks', body: newWebhookSchema, document: documents.createDocument },
    async (c, { body, text }) => {
      const { tenant } = c.var.identity;
      return once(
        gateway,
        onceKey(c, '/v1/webhooks', text),
        () => createWebhook(gateway, tenant, body),
        // Never kept: the answer holds a secret.
        async (location) =>
          JSON.stringify(
            presentWebhook(await ownWebhook(gateway, tenant, location?.split('/').at(-1) ?? '')),
          ),
      );
    },
  );

  mount(
    app,
    options,
    { method: 'get', path: '/v1/webhooks', query: pageQuery, document: documents.listDocument },
    async (c, { query }) =>
      ok(paginate(await gateway.webhooks.list(c.var.identity.tenant), ({ id }) => id, query)),
  );

  mount(
    app,
    options,
    { method: 'get', path: '/v1/webhooks/{id}', document: documents.readDocument },
    async (c) =>
      ok(presentWebhook(await ownWebhook(gateway, c.var.identity.tenant, c.req.param('id') ?? ''))),
  );

  mount(
    app,
    options,
    { method: 'patch', path: '/v1/webhooks/{id}', body: webhookPatch, document: documents.patchDocument },
    async (c, { body }) => {
      const webhook = await ownWebhook(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      if (body.url !== undefined) checkUrl(gateway, body.url);
      const changed = await gateway.webhooks.update(webhook, body);
      if (changed === undefined) throw noSuchWebhook(webhook.id);
      return ok(presentWebhook(changed));
    },
  );

  mount(
    app,
    options,
    { method: 'delete', path: '/v1/webhooks/{id}', document: documents.deleteDocument },
    async (c) => {
      const webhook = await ownWebhook(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      if (!(await gateway.webhooks.remove(webhook))) throw noSuchWebhook(webhook.id);
      return noContent();
    },
  );

  mount(
    app,
    options,
    { method: 'post', path: '/v1/webhooks/{id}/rotate', document: documents.rotateDocument },
    async (c) => {
      const webhook = await ownWebhook(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      const rotated = await gateway.webhooks.rotate(webhook.id);
      if (rotated === undefined) throw noSuchWebhook(webhook.id);
      const now = await ownWebhook(gateway, webhook.tenant, webhook.id);
      return ok({ ...presentWebhook(now), secret: rotated.secret });
    },
  );

  mount(
    app,
    options,
    { method: 'post', path: '/v1/webhooks/{id}/test', document: documents.testDocument },
    async (c) => {
      const webhook = await ownWebhook(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      return c.json(await sendTest(gateway, webhook), 202);
    },
  );
}

async function createWebhook(
  gateway: WebhookParts,
  tenant: string,
  wanted: z.output<typeof newWebhook>,
): Promise<Answer> {
  checkUrl(gateway, wanted.url);
  const made = await gateway.webhooks.create(tenant, wanted);
  if (made === undefined)
    throw new Problem(
      'quota_exceeded',
      `A tenant may have ${maxWebhooks} webhook endpoints: delete one that is not used.`,
    );
  return { status: 201, body: JSON.stringify(made), location: `/v1/webhooks/${made.id}`, holdsSecret: true };
}

/** Checks an address as far as possible without calling it; the notifier checks again at each try. */
function checkUrl(gateway: WebhookParts, url: string): void {
  const fault = targetFault(url, targetPolicy(gateway.env));
  if (fault !== undefined) throw badField('url', fault);
}
