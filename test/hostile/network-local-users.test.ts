import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { Service } from '../../shared/contracts/service.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { docker } from '../support/docker.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { servicesOf } from '../whole/services/support.ts';

const lab = inject('lab');
/** Users of this machine: one that is said to be the gateway's, and one that is nobody's. */
const [gateway, somebody] = [47_001, 47_002];
let runlet: Runlet;
let services: ReturnType<typeof servicesOf>;
let service: Service;
let address = '';

beforeAll(async () => {
  runlet = await startRunlet(lab, { env: { RUNLET_GATEWAY_UID: String(gateway) } });
  services = servicesOf(runlet, lab.dockerHost);
  service = await services.start({
    image: 'busybox',
    command: ['sh', '-c', 'echo private > /tmp/index.html; httpd -p 9000 -h /tmp; httpd -f -p 8080 -h /tmp'],
    name: 'private',
    port: 8080,
    tcpPorts: [9000],
  });
  expect(service.status).toBe('ready');
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
  address = (await docker(lab.dockerHost, 'inspect', '-f', format, services.container(service))).trim();
});
afterAll(async () => {
  await services.removeAll();
  await runlet.stop();
});

/** What a user of this machine is told who asks an address for its page, without any key. */
function asked(uid: number, host: string, port: number): string {
  const script = 'exec 3<>"/dev/tcp/$0/$1" && printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3';
  const { stdout, stderr } = spawnSync('bash', ['-c', script, host, String(port)], {
    uid,
    gid: uid,
    cwd: '/',
    encoding: 'utf8',
    timeout: 5_000,
  });
  return /private/.test(stdout)
    ? 'private'
    : (/Connection refused/.exec(stderr)?.[0] ?? `${stdout}${stderr}`);
}

const published = async () => {
  const lines = await docker(lab.dockerHost, 'port', services.container(service));
  return lines.trim().split('\n');
};
const raw = () => service.tcpPorts[0]?.hostPort ?? 0;

async function onlyByTheGateway() {
  const unasked = await services.fetch(service, '', { headers: { authorization: '' } });
  expect(unasked.status).toBe(401);
  expect(await (await services.fetch(service)).text()).toBe('private\n');
  expect(asked(somebody, address, 8080)).toBe('Connection refused');
  expect(asked(somebody, address, 9000)).toBe('Connection refused');
  expect(asked(gateway, address, 8080)).toBe('private');
}

it('A private service answers nobody else on its machine than the gateway', onlyByTheGateway);

it('Its port is not published; what is to be reached as raw TCP is, and by everybody', async () => {
  expect(await published()).toEqual([`9000/tcp -> 127.0.0.1:${raw()}`]);
  expect(asked(somebody, '127.0.0.1', raw())).toBe('private');
});

it('The worker says so, and what its machine leaves open', async () => {
  const { data } = await services.call<{ data: Worker[] }>('GET', '/v1/workers');
  expect(data.map(({ host }) => host)).toEqual([
    expect.objectContaining({
      corePattern: readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim(),
      pidMax: Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8')),
      firewall: { problem: null, connections: 1_024, localUsersKeptOut: true },
    }),
  ]);
});

it('So it is when another worker has adopted it', async () => {
  await runlet.workers[0]?.stop('SIGKILL');
  await onlyByTheGateway();
  await runlet.startWorker();
  const before = service.worker;
  service = await services.until('private', ({ worker, status }) => worker !== before && status === 'ready');
  await onlyByTheGateway();
  expect(asked(somebody, '127.0.0.1', raw())).toBe('private');
});
