import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startChild } from '../../infra/parts/child.ts';
import { ChildRegister } from '../../infra/parts/child-register.ts';
import { LogFile } from '../../infra/parts/log-file.ts';
import { identify, isAlive } from '../../infra/parts/pids.ts';
import { freePort, isFree } from '../../infra/parts/ports.ts';
import { pings, startRedis } from '../../infra/parts/redis.ts';
import { startRegistry } from '../../infra/parts/registry.ts';
import { silent } from '../../infra/parts/say.ts';
import { shortSocketPath } from '../../infra/parts/sockets.ts';
import { Cleanup } from '../../infra/start/cleanup.ts';
import { lockDataFolder } from '../../infra/start/lock.ts';
import { notifierIsReady } from '../../infra/start/notifier-ready.ts';
import { publicRegistryReachable } from '../../infra/start/public-registry.ts';
import { serviceEnvironment } from '../../infra/start/services.ts';
import { readSettings } from '../../infra/start/settings.ts';
import { supervise } from '../../infra/start/supervise.ts';
import { root } from './support/npm-start.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-parts-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a child', () => {
  it('ends by SIGTERM, and by SIGKILL if it will not', async () => {
    const logFile = join(folder, 'stubborn.log');
    const script = 'trap "" TERM; echo deaf; while :; do sleep 0.1; done';
    const child = await startChild({ name: 'stubborn', command: 'sh', args: ['-c', script], logFile });
    await expect.poll(() => child.tail()).toContain('deaf');
    await child.stop(300);
    expect(child.isRunning()).toBe(false);
    expect((await child.ended).signal).toBe('SIGKILL');
    await child.stop();
  });

  it('reports a crash, and no crash when it was asked to stop', async () => {
    const ends: unknown[] = [];
    const options = {
      command: 'sh',
      logFile: join(folder, 'log'),
      onCrash: (end: unknown) => ends.push(end),
    };
    const crashing = await startChild({ ...options, name: 'crashing', args: ['-c', 'exit 3'] });
    await crashing.ended;
    const asked = await startChild({ ...options, name: 'asked', args: ['-c', 'sleep 60'] });
    await asked.stop();
    expect(ends).toEqual([{ code: 3, signal: null }]);
  });

  it('that a dead owner left behind is ended by the next, and only if it is still the same process', async () => {
    const left = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    const other = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    const id = identify(left.pid ?? 0);
    const path = join(folder, 'children.json');
    writeFileSync(
      path,
      JSON.stringify([
        { name: 'left', ...id },
        { name: 'someone else by now', pid: other.pid, startTicks: '1' },
      ]),
    );
    expect(await new ChildRegister(path).endLeftovers()).toEqual(['left']);
    expect(id !== undefined && isAlive(id)).toBe(false);
    expect(identify(other.pid ?? 0)).toBeDefined();
    other.kill('SIGKILL');
  });

  it('has a log that does not grow without end', () => {
    const log = new LogFile(join(folder, 'big.log'));
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    for (let written = 0; written < 40; written++) log.write(chunk);
    log.close();
    const total = statSync(log.path).size + statSync(`${log.path}.1`).size;
    expect(total).toBeLessThanOrEqual(16 * 1024 * 1024);
  });
});

describe('Redis', () => {
  it('answers on a private socket, writes at once, evicts nothing, and keeps its data', async () => {
    const options = { folder: join(folder, 'redis'), logFile: join(folder, 'redis.log'), say: silent };
    const redis = await startRedis(options);
    expect(redis.url).toBe(`unix://${redis.socket}`);
    expect(statSync(options.folder).mode & 0o777).toBe(0o700);
    const client = new Redis(redis.socket);
    const settings = ['appendonly', 'appendfsync', 'maxmemory-policy', 'save', 'port'];
    const values = await Promise.all(
      settings.map(async (name) => ((await client.config('GET', name)) as string[])[1]),
    );
    expect(values).toEqual(['yes', 'always', 'noeviction', '', '0']);
    await client.set('kept', 'yes');
    client.disconnect();
    redis.child.kill('SIGKILL');
    await redis.child.ended;

    const again = await startRedis(options);
    const second = new Redis(again.socket);
    expect(await second.get('kept')).toBe('yes');
    second.disconnect();
    await again.child.stop();
    expect(await pings(again.socket)).toBe(false);
  });

  it('gets a short socket path whatever the data folder is called', () => {
    const deep = join(folder, 'x'.repeat(120), 'redis.sock');
    const short = shortSocketPath(deep);
    expect(Buffer.byteLength(short)).toBeLessThan(100);
    expect(shortSocketPath(deep)).toBe(short);
    rmSync(join(short, '..'), { recursive: true, force: true });
  });
});

describe('the registry', () => {
  it('takes another port when its own is in use, and asks for the password it was given', async () => {
    const port = await freePort('127.0.0.1');
    const common = { logFile: join(folder, 'registry.log'), say: silent, preferredPort: port };
    const first = await startRegistry({ ...common, folder: join(folder, 'one') });
    expect(first.address).toBe(`127.0.0.1:${port}`);
    const htpasswd = 'lab:$2b$04$tidM1Opxlvcu7Isa4gswSuRyzGpRmnMDraC7evfFnMk.6h5M4SzoK\n';
    const second = await startRegistry({ ...common, folder: join(folder, 'two'), htpasswd });
    expect(second.address).not.toBe(first.address);
    expect((await fetch(`http://${second.address}/v2/`)).status).toBe(401);
    const authorization = `Basic ${Buffer.from('lab:lab-only-password').toString('base64')}`;
    expect((await fetch(`http://${second.address}/v2/`, { headers: { authorization } })).status).toBe(200);
    await Promise.all([first.child.stop(), second.child.stop()]);
    expect(await isFree('127.0.0.1', port)).toBe(true);
  });
});

describe('the lock on the data folder', () => {
  it('is held by one process, and not by a dead one', () => {
    const unlock = lockDataFolder(folder);
    expect(() => lockDataFolder(folder)).toThrow(`already running on ${folder} (process ${process.pid})`);
    unlock();
    expect(existsSync(join(folder, 'lock'))).toBe(false);
    writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: process.pid, startTicks: '1' }));
    lockDataFolder(folder)();
  });
});

describe('the way down', () => {
  it('stops the worker before what it leans on, once, and what comes up late at once', async () => {
    const stopped: string[] = [];
    const cleanup = new Cleanup(silent);
    for (const part of ['engine', 'redis', 'notifier', 'worker', 'gateway'] as const) {
      await cleanup.add(part, () => void stopped.push(part));
    }
    await Promise.all([cleanup.run(), cleanup.run()]);
    expect(stopped).toEqual(['worker', 'gateway', 'notifier', 'redis', 'engine']);
    await expect(cleanup.add('registry', () => void stopped.push('late'))).rejects.toThrow();
    expect(stopped.at(-1)).toBe('late');
  });

  it('goes on when one part will not stop', async () => {
    const said: string[] = [];
    const cleanup = new Cleanup((line) => said.push(line));
    let engineStopped = false;
    await cleanup.add('redis', () => Promise.reject(new Error('no')));
    await cleanup.add('engine', () => {
      engineStopped = true;
    });
    await cleanup.run();
    expect(engineStopped).toBe(true);
    expect(said).toEqual(['Stopping redis: no']);
  });
});

describe('supervision', () => {
  it('starts again what crashes, and no more after the stop', async () => {
    let starts = 0;
    let crash = () => {};
    const supervised = await supervise(
      'it',
      async (onCrash) => {
        starts += 1;
        crash = onCrash;
        return { stop: async () => {} };
      },
      silent,
    );
    crash();
    await expect.poll(() => starts, { timeout: 60_000 }).toBe(2);
    await supervised.stop();
    crash();
    await sleep(800);
    expect(starts).toBe(2);
    expect(supervised.crashes).toBe(2);
  });
});

describe('the notifier', () => {
  const notifier = (...lines: string[]) => ({ isRunning: () => true, tail: () => lines.join('\n') });
  const line = (time: string, msg: string) => JSON.stringify({ level: 30, time, service: 'notifier', msg });
  const since = Date.parse('2026-01-02T00:00:00Z');

  it('is ready once it has said so, since this start', () => {
    const before = line('2026-01-01T23:59:59Z', 'ready');
    const after = line('2026-01-02T00:00:01Z', 'ready');
    expect(notifierIsReady(notifier(before), since, 'info')).toBe(false);
    expect(
      notifierIsReady(notifier(before, 'no JSON', line('2026-01-02T00:00:01Z', 'stopped')), since, 'info'),
    ).toBe(false);
    expect(notifierIsReady(notifier(before, after, 'more'), since, 'info')).toBe(true);
  });

  it('is believed where its log is kept quiet', () => {
    expect(notifierIsReady(notifier(), since, 'silent')).toBe(true);
    expect(notifierIsReady({ ...notifier(), isRunning: () => false }, since, 'silent')).toBe(false);
  });
});

describe('the health check in containers', () => {
  const check = (url: string) => {
    const env = { ...process.env, RUNLET_REDIS_URL: url };
    return spawnSync(process.execPath, [join(root, 'infra/health.cjs'), 'redis'], { env, encoding: 'utf8' });
  };

  it('passes where there is a Redis; else it names the address, without the password', async () => {
    const redis = await startRedis({
      folder: join(folder, 'redis'),
      logFile: join(folder, 'log'),
      say: silent,
    });
    expect(check(redis.url).status).toBe(0);
    await redis.child.stop();
    expect(check(redis.url).status).toBe(1);
    const port = await freePort('127.0.0.1');
    const { status, stderr } = check(`redis://user:hidden@127.0.0.1:${port}`);
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining(`redis://127.0.0.1:${port}: connect ECONNREFUSED`),
    ]);
  });
});

describe('what the services are told', () => {
  const publicUrl = (env: NodeJS.ProcessEnv) => {
    const settings = readSettings({ RUNLET_DATA_DIR: folder, RUNLET_PORT: '1234' });
    const parts = { redisUrl: 'unix:///redis.sock', secretKey: 'secret', apiKey: 'key' };
    return serviceEnvironment('gateway', settings, parts, env).RUNLET_PUBLIC_URL;
  };

  it('has the address that is printed as the public one, unless the user knows another', () => {
    expect(publicUrl({})).toBe('http://127.0.0.1:1234');
    expect(publicUrl({ RUNLET_PUBLIC_URL: '' })).toBe('http://127.0.0.1:1234');
    expect(publicUrl({ RUNLET_PUBLIC_URL: 'https://runlet.example' })).toBe('https://runlet.example');
  });
});

describe('the search for a public registry', () => {
  it('believes its last answer for a day', async () => {
    const now = Date.now();
    for (const reachable of [true, false]) {
      writeFileSync(join(folder, 'public-registry.json'), JSON.stringify({ reachable, at: now - 3_600_000 }));
      expect(await publicRegistryReachable(folder, now)).toBe(reachable);
    }
    expect(JSON.parse(readFileSync(join(folder, 'public-registry.json'), 'utf8')).at).toBe(now - 3_600_000);
  });
});
