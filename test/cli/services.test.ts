import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import type { Worker } from '../../shared/contracts/worker.ts';
import { docker } from '../support/docker.ts';
import { type Live, startLive } from './support/live.ts';

const lab = inject('lab');
const execute = promisify(execFile);
let live: Live;

beforeAll(async () => {
  live = await startLive(lab, ['nginx:1.22']);
}, 600_000);
afterAll(() => live?.stop());

/** What a browser on this machine gets: not every resolver knows names below localhost. */
async function browse(url: string, ...more: string[]): Promise<string> {
  const { hostname } = new URL(url);
  const resolve = ['--resolve', `${hostname}:${live.port}:127.0.0.1`];
  return (await execute('curl', ['-s', ...resolve, ...more, url])).stdout;
}
const key = () => ['-H', `Authorization: Bearer ${live.runlet.apiKey}`];

const web = (name: string, ...more: string[]) => [
  'up',
  'nginx:1.22',
  '--name',
  name,
  '--port',
  '80',
  ...more,
];

/** A program that does nothing, and ends when it is told to. */
const idler = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];
const box = (name: string, ...more: string[]) => ['up', 'busybox', '--name', name, ...more, '--', ...idler];

describe('runlet up', () => {
  it('--no-init has the program as PID 1', async () => {
    for (const [name, flags, comm] of [
      ['with', [], 'init\n'],
      ['without', ['--no-init'], 'sh\n'],
    ] as const) {
      await live.cli(box(name, ...flags));
      expect(await live.cli(['exec', name, 'cat', '/proc/1/comm'])).toMatchObject({ code: 0, out: comm });
      await live.cli(['rm', name]);
    }
  });

  it('waits until it is ready, and prints the address that answers', async () => {
    const ended = await live.cli(web('web', '--keep', '1h'));
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('Starting web') });
    const url = `http://web.localhost:${live.port}/`;
    expect(ended.out).toMatch(/^status +ready$/m);
    expect(ended.out).toMatch(/^keep alive +1h without a call$/m);
    expect(ended.out).toContain(url);
    expect(await browse(url, ...key())).toContain('Welcome to nginx!');
    expect(await live.cli(['rm', 'web'])).toMatchObject({ code: 0, out: 'web\n', stderr: '' });
    // Its name is free as soon as the command has ended.
    const again = await live.cli(web('web', '--keep', 'forever', '--quiet', '--json'));
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(again.out)).toMatchObject({
      name: 'web',
      status: 'ready',
      keepAlive: 'forever',
      url,
      idleAt: null,
    });
    await live.cli(['rm', 'web']);
  });

  it('says who may call it, and how a private one is opened', async () => {
    const own = await live.cli(web('own'));
    expect(own.stderr).toContain('It is private: `runlet open own` opens it in the browser.');
    expect(own.out).toMatch(/^access +private: an API key, or the URL of `runlet open own`$/m);
    const open = await live.cli(web('all', '--public'));
    expect(open.stderr).not.toContain('private');
    expect((await live.cli(['services', 'all'])).out).toMatch(/^access +public: anybody may call it$/m);
    await live.cli(['rm', 'own', 'all']);
  });

  it('tells the secret that was made for its webhook, once', async () => {
    const hook = ['--webhook', 'https://example.com/hook'];
    const ended = await live.cli(box('hooked', '--quiet', ...hook));
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stderr).toMatch(/^runlet: The webhook is signed with whsec_\S+: /);
    expect(ended.out).not.toContain('whsec_');
    await live.cli(['rm', 'hooked']);
  });

  it('is left by Ctrl-C, and says that it goes on and how to remove it', async () => {
    const cli = live.start(box('left', '--port', '80'));
    await vi.waitFor(() => expect(cli.stderrSoFar()).toContain('Starting left'), { timeout: 60_000 });
    cli.child.kill('SIGINT');
    const ended = await cli.ended;
    expect(ended).toMatchObject({ code: 130, out: '' });
    expect(ended.stderr).toContain('`runlet rm left` removes it');
    expect((await live.service('left')).status).toBe('starting');
    await live.cli(['rm', 'left']);
  });

  it('says everything that was asked for to the server', async () => {
    const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
    const ended = await live.cli([
      ...['up', 'busybox', '--json', '--name', 'full', '--port', '81', '--tcp', '82', '--health', '/ready'],
      ...['--keep', '90s', '--on-idle', 'remove', '--restart', 'never', '-v', 'full-data:/data'],
      ...['-e', 'A=b', '-w', '/data', '--entrypoint', 'sleep', '-m', '64m', '--cpus', '0.5', '--public'],
      ...[
        '--metadata',
        'team=x',
        '--disk',
        '32m',
        '--pids',
        '99',
        '--pull',
        'never',
        '--isolation',
        'container',
      ],
      ...['--webhook', 'https://example.com/hook', '--webhook-secret', secret, '--detach', '--', '0'],
    ]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ended.out).request).toMatchObject({
      image: 'busybox',
      entrypoint: ['sleep'],
      command: ['0'],
      port: 81,
      tcpPorts: [82],
      health: { path: '/ready' },
      keepAlive: 90_000,
      onIdle: 'remove',
      restart: 'never',
      volumes: [{ name: 'full-data', path: '/data' }],
      env: { A: '***' },
      workdir: '/data',
      limits: { memoryBytes: 64 * 2 ** 20, cpus: 0.5, diskBytes: 32 * 2 ** 20, pids: 99 },
      pull: 'never',
      isolation: 'container',
      webhook: { url: 'https://example.com/hook', secret: '***' },
      public: true,
      metadata: { team: 'x' },
    });
    expect(await live.cli(['rm', '--volumes', 'full'])).toMatchObject({ code: 0 });
    expect(await (await live.runlet.call('GET', '/v1/volumes')).json()).toMatchObject({ data: [] });
  });

  it('tells of a program that ends at once what it said, and where to look', async () => {
    const ended = await live.cli([
      'up',
      'busybox',
      '--name',
      'crash',
      '--port',
      '80',
      'sh',
      '-c',
      'echo cannot find the moon >&2; exit 3',
    ]);
    expect(ended.code).toBe(1);
    expect(ended.out).toMatch(/^status +crash_looping$/m);
    expect(ended.out).toContain('exit code 3');
    expect(ended.out).toContain('cannot find the moon');
    expect(ended.stderr).toContain('runlet logs crash');
    await live.cli(['rm', 'crash']);
  });

  it('leaves one that takes longer than it waits, and says how to ask again', async () => {
    const ended = await live.cli(box('mute', '--port', '80', '--wait', '1s'));
    expect(ended.code).toBe(1);
    expect(ended.out).toMatch(/^status +starting$/m);
    expect(ended.stderr).toContain('runlet services mute');
    await live.cli(['rm', 'mute']);
  });

  it('tells of a port that never opens', async () => {
    const request = {
      name: 'shut',
      image: 'busybox',
      command: idler,
      port: 80,
      health: { timeoutMs: 1_000 },
    };
    await live.runlet.call('POST', '/v1/services', request, { prefer: 'wait=30' });
    const shown = await live.cli(['services', 'shut']);
    expect(shown.out).toMatch(/^status +failed$/m);
    expect(shown.out).toContain('port 80 accepted no connection');
    expect(shown.out).toContain('Does it listen on all addresses, at this port?');
    await live.cli(['rm', 'shut']);
  });

  it('tells of an image that is not there', async () => {
    const ended = await live.cli(['up', 'no-such-image-here', '--name', 'none']);
    expect(ended.code).toBe(1);
    expect(ended.out).toContain('image_not_found');
    // It has written nothing: its log is no place to look.
    expect(ended.stderr).not.toContain('runlet logs');
    await live.cli(['rm', 'none']);
  });

  it('refuses what cannot be, before and after it asks the server', async () => {
    const time = await live.cli(web('late', '--keep', '10'));
    expect(time).toMatchObject({ code: 2, out: '' });
    expect(time.stderr).toContain('10s');
    const volume = await live.cli(web('late', '-v', 'data'));
    expect(volume).toMatchObject({ code: 2, out: '' });
    expect(volume.stderr).toContain('NAME:PATH');
    const strange = await live.cli(['up', 'nginx:1.22', '--nmae', 'late']);
    expect(strange).toMatchObject({ code: 2, out: '' });
    expect(strange.stderr).toContain('--nmae is no option');
    const name = await live.cli(web('No_Name', '--json'));
    expect(name).toMatchObject({ code: 1, out: '' });
    expect(JSON.parse(name.stderr)).toMatchObject({ code: 'validation_failed', errors: [{ path: 'name' }] });
    await live.cli(box('taken'));
    const taken = await live.cli(web('taken'));
    expect(taken).toMatchObject({ code: 1, out: '' });
    expect(taken.stderr).toContain('choose another name');
    await live.cli(['rm', 'taken']);
  });
});

describe('runlet services, stop, start', () => {
  it('lists, shows, stops and starts', async () => {
    expect((await live.cli(['services'])).out).toMatch(/^NAME +STATUS +IMAGE +REACHED AT +AGE +RESTARTS\n$/);
    await live.cli(web('one', '--quiet'));
    await live.cli(box('two', '--quiet'));
    const { out } = await live.cli(['services']);
    expect(out).toMatch(
      new RegExp(`^one +ready +nginx:1.22 +http://one.localhost:${live.port}/ +\\d+s +0$`, 'm'),
    );
    expect(out).toMatch(/^two +ready +busybox +- +\d+s +0$/m);
    const { data } = JSON.parse((await live.cli(['services', '--json'])).out);
    expect(data.map(({ name }: { name: string }) => name)).toEqual(['two', 'one']);

    expect(await live.cli(['stop', 'one', 'two'])).toMatchObject({ code: 0, out: 'one\ntwo\n', stderr: '' });
    const stopped = await live.service('one');
    expect(stopped.status).toBe('stopped');
    const running = () =>
      docker(lab.dockerHost, 'inspect', '-f', '{{.State.Running}}', `runlet-${stopped.id}`);
    expect(await running()).toBe('false');
    // Twice is as good as once.
    expect(await live.cli(['stop', 'one'])).toMatchObject({ code: 0 });
    expect(await live.cli(['start', 'one', 'two'])).toMatchObject({ code: 0, out: 'one\ntwo\n', stderr: '' });
    expect((await live.service('one')).status).toBe('ready');
    expect(await running()).toBe('true');
    expect(await live.cli(['rm', 'one', 'two'])).toMatchObject({ code: 0, out: 'one\ntwo\n' });
  });

  it('restarts, and names those that are meant by "last" and by an id’s beginning', async () => {
    await live.cli(box('again', '--quiet'));
    const before = await live.service('again');
    expect(await live.cli(['restart', 'again'])).toMatchObject({ code: 0, out: 'again\n', stderr: '' });
    const after = await live.service('again');
    expect(after.status).toBe('ready');
    expect(after.readyAt).not.toBe(before.readyAt);
    expect((await live.cli(['services', 'last'])).out).toMatch(/^name +again$/m);
    expect((await live.cli(['services', before.id.slice(0, 20)])).out).toMatch(/^name +again$/m);
    expect((await live.cli(['services', '-q'])).out).toBe('again\n');
    expect((await live.cli(['rm', before.id.slice(0, 24)])).out).toBe(`${before.id}\n`);
  });

  it('start says when it has not become ready', async () => {
    // Without a port it would be ready as soon as it runs, for as long as it does.
    const atPort = ['--port', '80', '--restart', 'never', '--quiet'];
    await live.cli(['up', 'busybox', '--name', 'once', ...atPort, '--', 'false']);
    const ended = await live.cli(['start', 'once']);
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.stderr).toContain('exit code 1');
    const json = await live.cli(['start', 'once', '--json']);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({
      data: [{ id: 'once', problem: { code: 'service_crashed' } }],
    });
    await live.cli(['rm', 'once']);
  });

  it('each that is not there is told, and the others are done', async () => {
    await live.cli(box('here', '--quiet'));
    for (const command of ['stop', 'start', 'rm']) {
      const ended = await live.cli([command, 'gone', 'here']);
      expect(ended).toMatchObject({ code: 1, out: 'here\n' });
      expect(ended.stderr).toContain('There is no service gone');
    }
    for (const args of [['services'], ['logs'], ['open'], ['exec'], ['cp']]) {
      const more = { exec: ['gone', 'true'], cp: ['gone:/a', '-'] }[args[0] ?? ''] ?? ['gone'];
      const ended = await live.cli([...args, ...more]);
      expect(ended.code, args[0]).not.toBe(0);
      expect(ended.stderr, args[0]).toContain('There is no service gone');
    }
  });
});

describe('runlet open', () => {
  it('prints a URL that needs no key, to where it was asked for', async () => {
    await live.cli(web('shown', '--quiet'));
    const { code, out } = await live.cli(['open', 'shown', '--expires', '10m', '--path', '/index.html?a=b']);
    expect(code).toBe(0);
    const url = new URL(out.trim());
    expect([url.host, url.pathname, url.searchParams.get('a')]).toEqual([
      `shown.localhost:${live.port}`,
      '/index.html',
      'b',
    ]);
    expect(await browse(url.href)).toContain('Welcome to nginx!');
    expect(await browse(url.origin)).toContain('not public');
    const { expiresAt } = JSON.parse((await live.cli(['open', 'shown', '--json'])).out);
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now() + 3_000_000);
    await live.cli(['rm', 'shown']);
  });

  it('says that a service without a port has nothing to open', async () => {
    await live.cli(box('closed', '--quiet'));
    const ended = await live.cli(['open', 'closed']);
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.stderr).toContain('no `port`');
    await live.cli(['rm', 'closed']);
  });
});

describe('runlet volumes', () => {
  it('lists them with their workers and services, shows one, and removes what nobody uses', async () => {
    await live.cli(box('db', '--quiet', '-v', 'records:/data'));
    const listed = (await (await live.runlet.call('GET', '/v1/workers')).json()) as { data: Worker[] };
    const worker = listed.data[0] as Worker;
    expect((await live.cli(['volumes'])).out).toMatch(
      new RegExp(`^VOLUME +WORKER +SERVICES +AGE\\nrecords +${worker.name} +db +\\d+s\\n$`),
    );
    const json = JSON.parse((await live.cli(['volumes', 'ls', '--json'])).out);
    expect(json).toMatchObject({
      data: [{ name: 'records', node: worker.name, engine: worker.engine.id, services: ['db'] }],
    });
    const shown = await live.cli(['volumes', 'show', 'records']);
    expect(shown.out).toMatch(new RegExp(`^worker +${worker.name}$`, 'm'));
    const used = await live.cli(['volumes', 'rm', 'records']);
    expect(used).toMatchObject({ code: 1, out: '' });
    expect(used.stderr).toContain('db');
    await live.cli(['rm', 'db']);
    expect(await live.cli(['volumes', 'rm', 'records', 'nothing'])).toMatchObject({
      code: 1,
      out: 'records\n',
    });
    expect((await live.cli(['volumes', 'show', 'records'])).stderr).toContain('There is no such volume');
  });
});
