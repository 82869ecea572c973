import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { run } from '../../infra/parts/run.ts';
import { startReceiver, verified } from '../support/receiver.ts';
import { type Home, makeHome, npmStart } from './support/npm-start.ts';
import { processesLeft, processesWith } from './support/processes.ts';

const ready = 'Ctrl-C stops it.';
let home: Home;

beforeEach(async () => {
  home = await makeHome({ DOCKER_HOST: inject('lab').dockerHost });
});
afterEach(() => home.remove());

/** The curl line that was printed, run as a person would: pasted into a shell. */
async function pasteCurl(output: string): Promise<{ status: string; stdout: string }> {
  const line = output.split('\n').find((text) => text.startsWith('  curl '));
  const { stdout } = await run('sh', ['-c', line ?? 'false'], { env: home.env as Record<string, string> });
  return JSON.parse(stdout);
}

/** The process of one of services/NAME/main.ts. */
const serviceOf = (name: string) =>
  processesWith(home.dataDir).find((line) => line.includes(`services/${name}/main.ts`));

function killService(name: string): void {
  process.kill(Number(serviceOf(name)?.split(' ')[0]), 'SIGKILL');
}

describe('npm start', () => {
  it('prints a curl line and a command that work, and leaves nothing running after Ctrl-C', async () => {
    const first = npmStart(home);
    await first.said(ready);
    const config = JSON.parse(readFileSync(join(home.configDir, 'config.json'), 'utf8'));
    expect(config).toEqual({
      url: `http://127.0.0.1:${home.port}`,
      apiKey: expect.stringMatching(/^rlk_[\w-]{32}$/),
    });
    expect(statSync(join(home.configDir, 'config.json')).mode & 0o777).toBe(0o600);
    expect(statSync(join(home.dataDir, 'secret-key')).mode & 0o777).toBe(0o600);
    const page = /^ {2}Page {5}(\S+)/m.exec(first.output())?.[1] ?? '';
    expect(page).toBe(`http://127.0.0.1:${home.port}/`);
    const shown = await fetch(page, { headers: { accept: 'text/html' } });
    expect(await shown.text()).toContain(`curl -s http://127.0.0.1:${home.port}/v1/runs `);
    expect(first.output()).toContain(`${config.apiKey}  (shown once`);

    const answer = await pasteCurl(first.output());
    expect(answer.status).toBe('succeeded');
    expect(answer.stdout).toContain('Hello from Docker!');
    const cli = await run(join(home.binDir, 'runlet'), ['run', 'hello-world'], {
      env: home.env as Record<string, string>,
    });
    expect(cli.stdout).toContain('Hello from Docker!');

    first.process.kill('SIGINT');
    expect(await first.ended).toBe(0);
    expect(await processesLeft(home.dataDir, 5_000)).toEqual([]);

    // The second time: the same key, not shown again; the line still works.
    const second = npmStart(home);
    await second.said(ready);
    expect(second.output()).not.toContain(config.apiKey);
    expect((await pasteCurl(second.output())).status).toBe('succeeded');
    second.process.kill('SIGTERM');
    expect(await second.ended).toBe(0);
    expect(await processesLeft(home.dataDir, 5_000)).toEqual([]);
  });

  it('ends when npm is told to', async () => {
    const npm = npmStart(home, {}, ['npm', 'start']);
    await npm.said(ready);
    npm.process.kill('SIGTERM');
    await npm.ended;
    expect(await processesLeft(home.dataDir, 5_000)).toEqual([]);
  });

  it('refuses a data folder that another one uses, and says which process that is', async () => {
    const first = npmStart(home);
    await first.said(ready);
    const second = npmStart(home, { RUNLET_PORT: '1' });
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(`already running on ${home.dataDir} (process ${first.process.pid})`);
    expect(second.output()).toContain('RUNLET_DATA_DIR');
    first.process.kill('SIGINT');
    expect(await first.ended).toBe(0);
  });

  it('names the variable to set when the port is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(home.port, '127.0.0.1', resolve));
    const start = npmStart(home);
    expect(await start.ended).toBe(1);
    expect(start.output()).toContain(`Port ${home.port} on 127.0.0.1 is in use`);
    expect(start.output()).toContain(`RUNLET_PORT=${home.port + 1} npm start`);
    expect(await processesLeft(home.dataDir, 5_000)).toEqual([]);
    server.close();
  });

  it('names the variable whose value is wrong', async () => {
    const start = npmStart(home, { RUNLET_PORT: 'eighty' });
    expect(await start.ended).toBe(1);
    expect(start.output()).toContain('RUNLET_PORT');
  });

  it('shows the end of the log of a service that cannot run', async () => {
    const start = npmStart(home, { RUNLET_WEBHOOK_TIMEOUT_MS: 'soon' });
    expect(await start.ended).toBe(1);
    expect(start.output()).toContain(`The end of ${join(home.dataDir, 'logs/notifier.log')}:`);
    expect(start.output()).toContain('RUNLET_WEBHOOK_TIMEOUT_MS');
    expect(await processesLeft(home.dataDir, 5_000)).toEqual([]);
  });

  it('says so when DOCKER_HOST leads nowhere, and starts no Engine instead', async () => {
    const start = npmStart(home, { DOCKER_HOST: 'unix:///nowhere/docker.sock' });
    expect(await start.ended).toBe(1);
    expect(start.output()).toContain('DOCKER_HOST is unix:///nowhere/docker.sock');
    expect(await processesLeft(home.dataDir, 5_000)).toEqual([]);
  });

  it('takes its children along when it is killed outright, and starts again on the same folder', async () => {
    const first = npmStart(home);
    await first.said(ready);
    for (const name of ['gateway', 'worker', 'notifier']) expect(serviceOf(name)).toBeDefined();
    first.process.kill('SIGKILL');
    await first.ended;
    expect(await processesLeft(home.dataDir, 30_000)).toEqual([]);

    const second = npmStart(home);
    await second.said(ready);
    second.process.kill('SIGINT');
    expect(await second.ended).toBe(0);
  });

  it('starts a service again that crashed', async () => {
    const start = npmStart(home);
    await start.said(ready);
    killService('gateway');
    await start.said('The gateway ended unexpectedly; starting it again');
    await expect
      .poll(
        async () => (await fetch(`http://127.0.0.1:${home.port}/healthz`).catch(() => undefined))?.status,
        {
          timeout: 60_000,
        },
      )
      .toBe(200);
    start.process.kill('SIGINT');
    expect(await start.ended).toBe(0);
    expect(await processesLeft(home.dataDir, 5_000)).toEqual([]);
  });

  it('delivers webhooks, those too that became due while the notifier was away', async () => {
    const receiver = await startReceiver();
    onTestFinished(() => receiver.stop());
    const start = npmStart(home, { RUNLET_WEBHOOK_ALLOW: '127.0.0.1' });
    await start.said(ready);
    expect(readFileSync(join(home.dataDir, 'logs/notifier.log'), 'utf8')).toContain('"msg":"ready"');

    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    const { apiKey } = JSON.parse(readFileSync(join(home.configDir, 'config.json'), 'utf8'));
    const runs = `http://127.0.0.1:${home.port}/v1/runs`;
    const post = async () => {
      const answer = await fetch(runs, {
        method: 'POST',
        headers: { authorization: `Bearer ${apiKey}`, prefer: 'wait=30', 'content-type': 'application/json' },
        body: JSON.stringify({ image: 'hello-world', webhook: { url: receiver.url, secret } }),
      });
      return ((await answer.json()) as { id: string }).id;
    };
    const told = async (count: number) => {
      const [one] = (await receiver.came(count)).slice(count - 1);
      return one && verified(secret, one);
    };

    const first = await post();
    expect(await told(1)).toMatchObject({
      type: 'run.finished',
      data: { id: first, status: 'succeeded', url: `${runs}/${first}` },
    });

    killService('notifier');
    await start.said('The notifier ended unexpectedly; starting it again');
    const second = await post();
    expect(await told(2)).toMatchObject({ type: 'run.finished', data: { id: second } });

    start.process.kill('SIGINT');
    expect(await start.ended).toBe(0);
    expect(await processesLeft(home.dataDir, 5_000)).toEqual([]);
  });
});
