import { userInfo } from 'node:os';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Service } from '../../shared/contracts/service.ts';
import { docker } from '../support/docker.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { type SecondEngine, startSecondEngine } from '../support/second-engine.ts';
import { servicesOf } from '../whole/services/support.ts';

const lab = inject('lab');
let engine: SecondEngine;
let runlet: Runlet;
let api: ReturnType<typeof servicesOf>;

// An engine of its own, which nobody else is disturbed by, takes root.
describe.runIf(userInfo().uid === 0)('the engine of services', () => {
  beforeAll(async () => {
    engine = await startSecondEngine(lab, 'fragile', ['busybox']);
    runlet = await startRunlet(
      { ...lab, dockerHost: engine.dockerHost },
      { env: { RUNLET_SERVICE_WAIT_MS: '0' } },
    );
    api = servicesOf(runlet, engine.dockerHost);
  });
  afterAll(async () => {
    await api.removeAll('?volumes=true');
    await runlet.stop();
    await engine.stop();
  });

  const web = (name: string, restart: string, more: Record<string, unknown> = {}) => ({
    name,
    image: 'busybox',
    // What is asked to end ends with exit code 0, as most servers do.
    command: ['sh', '-c', 'trap "exit 0" TERM; echo up >> /data/starts; httpd -f -p 80 -h /data & wait'],
    port: 80,
    restart,
    keepAlive: 'forever',
    limits: { memoryBytes: 2 ** 26 },
    volumes: [{ name: `${name}-data`, path: '/data' }],
    ...more,
  });
  const starts = async (service: Service) =>
    (await (await api.fetch(service, 'starts')).text()).split('\n').length - 1;
  const ids = (name: string) => docker(engine.dockerHost, 'inspect', '-f', '{{.Id}}', name);

  test.each(['halt', 'kill'] as const)(
    'is restarted (%s): what is to be restarted is there again, the same container; what is not says why',
    async (how) => {
      const kept = await api.start(web(`kept-${how}`, 'on-failure'));
      const never = await api.start(web(`never-${how}`, 'never'));
      const stopped = await api.start(web(`stopped-${how}`, 'always'));
      await api.act(stopped.name, 'stop');
      expect([kept.status, never.status]).toEqual(['ready', 'ready']);
      const container = await ids(api.container(kept));

      await engine[how]();
      if (how === 'halt') expect((await api.fetch(kept)).status).toBeGreaterThanOrEqual(502);
      expect((await runlet.call('GET', '/healthz')).status).toBe(200);
      await engine.start();

      const again = await api.until(kept.name, ({ status, restarts }) => status === 'ready' && restarts > 0);
      expect(again).toMatchObject({ restarts: 1, error: null });
      expect(await ids(api.container(kept))).toBe(container);
      expect(await starts(kept)).toBe(2);
      const ended = await api.until(never.name, ({ status }) => status === 'failed');
      expect(ended).toMatchObject({ error: { code: 'container_lost' }, tcpPorts: [] });
      expect(ended.error?.detail).toContain('Its engine was stopped or restarted');
      expect(await api.read(stopped.name)).toMatchObject({ status: 'stopped', error: null });
      // Whoever asks for it has it again.
      expect((await api.act(never.name, 'start')).status).toBe('ready');
      expect(await starts(never)).toBe(2);
      for (const { name } of [kept, never, stopped]) await api.remove(name, '?volumes=true');
    },
    150_000,
  );
});
