import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery, Webhook } from '../../../shared/contracts/webhook.ts';
import type { Runlet } from '../../support/runlet.ts';

/** What tests do with webhooks, over the HTTP API. */
export function webhooksOf(runlet: Pick<Runlet, 'call'>) {
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await runlet.call(method, path, body);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
  const read = (id: string) => call<Delivery>('GET', `/v1/deliveries/${id}`);

  /** Waits until a delivery is as wanted. */
  async function until(id: string, wanted: (delivery: Delivery) => boolean): Promise<Delivery> {
    for (;;) {
      const delivery = await read(id);
      if (wanted(delivery)) return delivery;
      await sleep(40);
    }
  }
  const register = (url: string) =>
    call<Webhook & { secret: string }>('POST', '/v1/webhooks', { url, events: ['webhook.*'] });
  const remove = (id: string) => call<void>('DELETE', `/v1/webhooks/${id}`);
  const send = (id: string) => call<Delivery>('POST', `/v1/webhooks/${id}/test`);
  const settled = (id: string) => until(id, ({ status }) => status !== 'pending');

  return {
    call,
    read,
    register,
    remove,
    /** Makes one delivery that is due to an endpoint. */
    send,
    until,
    settled,
    /** One delivery to a URL, from its beginning to its end. */
    async deliver(url: string): Promise<Delivery> {
      const { id } = await register(url);
      try {
        return await settled((await send(id)).id);
      } finally {
        await remove(id);
      }
    },
  };
}
