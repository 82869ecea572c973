import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { payload } from '../../services/gateway/webhooks/payload.ts';
import type { Service } from '../../shared/contracts/service.ts';
import { newWebhookSecret } from '../../shared/webhooks/signature.ts';
import { docker } from '../support/docker.ts';
import { type Receiver, startReceiver, verified } from '../support/receiver.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { type SecondEngine, startSecondEngine } from '../support/second-engine.ts';
import { servicesOf } from '../whole/services/support.ts';

const lab = inject('lab');
let other: SecondEngine;
let runlet: Runlet;
let receiver: Receiver;
let api: ReturnType<typeof servicesOf>;

// Running a second dockerd takes root.
describe.runIf(userInfo().uid === 0)('a node is gone', () => {
  const secret = newWebhookSecret();

  beforeAll(async () => {
    other = await startSecondEngine(lab, 'other', ['busybox']);
    receiver = await startReceiver();
    runlet = await startRunlet(lab, {
      workers: 0,
      env: {
        RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8',
        RUNLET_MAX_MEMORY_BYTES: String(2 ** 30),
        // The least that there may be: that it is waited for 30 s by default is in the gateway's tests, by their clock.
        RUNLET_LOST_AFTER_MS: '10000',
      },
    });
    await runlet.startNotifier();
    api = servicesOf(runlet, lab.dockerHost);
  });
  afterAll(async () => {
    await api.removeAll();
    await runlet.stop();
    await receiver.stop();
    await other.stop();
  });

  /** Every container of it answers with another word. */
  const telling = (name: string, more: Record<string, unknown> = {}) => ({
    name,
    image: 'busybox',
    command: [
      ...['sh', '-c'],
      'mkdir /tmp/www; head -c 16 /dev/urandom | md5sum > /tmp/www/index.html; trap "exit 0" TERM; httpd -f -p 80 -h /tmp/www & wait',
    ],
    port: 80,
    limits: { memoryBytes: 2 ** 25 },
    webhook: { url: `${receiver.url}/${name}`, secret },
    ...more,
  });

  const word = async (service: Service) => {
    const answer = await api.fetch(service);
    return { status: answer.status, text: await answer.text() };
  };
  const containersAt = async (dockerHost: string, service: Service) =>
    (await docker(dockerHost, 'ps', '-aq', '--filter', `name=${service.id}`)).split('\n').filter(Boolean)
      .length;
  const startedAt = (dockerHost: string, service: Service) =>
    docker(dockerHost, 'inspect', '-f', '{{.State.StartedAt}}', api.container(service));
  const told = (name: string) =>
    receiver.received
      .filter(({ path }) => path === `/${name}`)
      .map((one) => payload.parse(verified(secret, one)))
      .map(({ type, data }) => [type, (data as Service).error?.code ?? null]);

  test('without volumes another takes it over, and the old copy is destroyed when it is back; with them it is told, and adopted as it is', async () => {
    const node = await runlet.startWorker({ RUNLET_WORKER_NAME: 'first' });
    const moving = await api.start(telling('moving'));
    const fixed = await api.start(telling('fixed', { volumes: [{ name: 'fixed-data', path: '/data' }] }));
    const rebooted = await api.start(
      telling('rebooted', { volumes: [{ name: 'rebooted-data', path: '/data' }] }),
    );
    expect([moving.status, fixed.status, rebooted.status]).toEqual(['ready', 'ready', 'ready']);
    const [first, words] = [await word(moving), await word(fixed)];
    const fixedSince = await startedAt(lab.dockerHost, fixed);
    await runlet.startWorker({ RUNLET_WORKER_NAME: 'second', DOCKER_HOST: other.dockerHost });
    await node.stop('SIGKILL');

    // Whatever answers meanwhile is one of the two, and never the first again after the second.
    const answered: string[] = [];
    let watching = true;
    onTestFinished(() => {
      watching = false;
      return watch;
    });
    const watch = (async () => {
      while (watching) {
        const { status, text } = await word(moving);
        if (status === 200 && answered.at(-1) !== text) answered.push(text);
        await sleep(50);
      }
    })();
    const moved = await api.until(
      'moving',
      ({ worker, status }) => worker !== moving.worker && status === 'ready',
    );
    expect(await runlet.workerName(moved.worker)).toBe('second');
    expect(await containersAt(other.dockerHost, moving)).toBe(1);
    const second = await word(moving);
    expect(second.status).toBe(200);
    expect(second.text).not.toBe(first.text);

    const lost = await api.until('fixed', ({ status }) => status === 'failed');
    expect(lost).toMatchObject({ error: { code: 'node_lost' }, worker: fixed.worker });
    expect(lost.error?.detail).toContain('start its worker again');
    expect(await containersAt(other.dockerHost, fixed)).toBe(0);
    expect((await api.fetch(fixed)).status).toBe(503);

    watching = false;
    await watch;
    expect(answered).toEqual([first.text, second.text]);
    // As a machine does it that is shut down in good order.
    await api.until('rebooted', ({ status }) => status === 'failed');
    await docker(lab.dockerHost, 'stop', api.container(rebooted));
    const movedSince = await startedAt(other.dockerHost, moving);

    await runlet.startWorker({ RUNLET_WORKER_NAME: 'first' });
    while ((await containersAt(lab.dockerHost, moving)) > 0) await sleep(100);
    const back = await api.until('fixed', ({ status }) => status === 'ready');
    expect(await runlet.workerName(back.worker)).toBe('first');
    expect(back.error).toBeNull();
    const risen = await api.until('rebooted', ({ status }) => status === 'ready');
    expect(risen).toMatchObject({ restarts: 1, error: null });
    expect(await startedAt(lab.dockerHost, fixed)).toBe(fixedSince);
    expect(await word(fixed)).toEqual(words);
    // Both nodes of the test are one machine, with one bridge of this name: that is gone now, so it is looked at and not called.
    expect(await api.read('moving')).toMatchObject({ status: 'ready', worker: moved.worker });
    expect(await startedAt(other.dockerHost, moving)).toBe(movedSince);

    await api.remove('moving');
    await api.remove('fixed', '?volumes=true');
    await api.remove('rebooted', '?volumes=true');
    await receiver.came(3, '/moving');
    await receiver.came(4, '/fixed');
    expect(told('moving')).toEqual([
      ['service.ready', null],
      ['service.ready', null],
      ['service.removed', null],
    ]);
    expect(told('fixed')).toEqual([
      ['service.ready', null],
      ['service.failed', 'node_lost'],
      ['service.ready', null],
      ['service.removed', null],
    ]);
    for (const dockerHost of [lab.dockerHost, other.dockerHost])
      for (const service of [moving, fixed]) expect(await containersAt(dockerHost, service)).toBe(0);
  }, 150_000);

  test('one that is removed while its node is gone is told so, and destroyed when that is back', async () => {
    const firstNode = runlet.workers.at(-1);
    const service = await api.start(telling('going', { volumes: [{ name: 'going-data', path: '/data' }] }));
    const holder = await runlet.workerName(service.worker);
    const [dockerHost, program] =
      holder === 'first' ? [lab.dockerHost, firstNode] : [other.dockerHost, runlet.workers[1]];
    await program?.stop('SIGKILL');
    // It waits for a while: by then it may be forgotten.
    expect([202, 204]).toContain((await runlet.call('DELETE', '/v1/services/going')).status);
    while ((await runlet.call('GET', '/v1/services/going')).status !== 404) await sleep(100);
    await receiver.came(2, '/going');
    expect(told('going').map(([type]) => type)).toEqual(['service.ready', 'service.removed']);
    expect(await containersAt(dockerHost, service)).toBe(1);
    await runlet.startWorker({ RUNLET_WORKER_NAME: holder ?? '', DOCKER_HOST: dockerHost });
    while ((await containersAt(dockerHost, service)) > 0) await sleep(100);
  }, 150_000);
});
