import { join } from 'node:path';
import { ChildRegister } from '../parts/child-register.ts';
import { isFree } from '../parts/ports.ts';
import { startRedis } from '../parts/redis.ts';
import { type Say, step } from '../parts/say.ts';
import { ensureStaticPrograms } from '../parts/static-programs.ts';
import { callingUser } from './calling-user.ts';
import { Cleanup, Stopped } from './cleanup.ts';
import { bringUpEngine } from './engine-part.ts';
import { apiKey, secretKey } from './keys.ts';
import { linkCommand } from './link-command.ts';
import { lockDataFolder } from './lock.ts';
import { makePlan } from './plan.ts';
import { waitForReady } from './ready.ts';
import { writeRunningNote } from './running-note.ts';
import {
  dropSecrets,
  type Service,
  type ServiceName,
  serviceEnvironment,
  startService,
  workerEnvironment,
} from './services.ts';
import { readSettings, type Settings } from './settings.ts';
import { keyOpens, shareKey } from './share-key.ts';
import { onStopSignals } from './signals.ts';
import { supervise } from './supervise.ts';
import { startWatchdog } from './watchdog.ts';
import { welcome } from './welcome.ts';

// `npm start`: starts everything, says how to use it, and stops it again. This file only connects the parts; each has its own file.

const began = Date.now();
const say: Say = (line) => console.log(line);
const cleanup = new Cleanup(say);
const services: Service[] = [];

onStopSignals(
  () => {
    say('\nStopping (again to stop at once) …');
    void finish(0);
  },
  () => {
    for (const service of services) service.current.kill('SIGKILL');
  },
);

try {
  await bringUp(readSettings());
} catch (error) {
  if (!(error instanceof Stopped) && !cleanup.started) {
    console.error(`\nRunlet could not start. ${(error as Error).message}`);
    await finish(1);
  }
}

async function bringUp(settings: Settings): Promise<void> {
  const unlock = lockDataFolder(settings.dataDir);
  await cleanup.add('lock', unlock);
  const register = new ChildRegister(join(settings.dataDir, 'children.json'));
  const left = await register.endLeftovers();
  if (left.length > 0) say(`Ended what an unclean stop had left running: ${left.join(', ')}`);
  startWatchdog(register, settings.drainMs + 2_000);
  if (!(await isFree(settings.host, settings.port))) throw portTaken(settings);

  const plan = await makePlan(settings, say);
  const key = apiKey(settings);
  const keys = { secretKey: secretKey(settings), apiKey: key.key, isKept: key.file !== undefined };
  const given = { ...process.env };
  dropSecrets();
  // At the same time: neither needs the other, and any start after the first must be ready within three seconds.
  const [engine, environment] = await Promise.all([
    bringUpEngine(plan, settings, register, cleanup, say),
    bringUpRedis(settings, register).then(async (redisUrl) => {
      const environment = (name: ServiceName) =>
        serviceEnvironment(name, settings, { ...keys, redisUrl }, given);
      await bringUpService('gateway', settings, environment('gateway'), register);
      await bringUpService('notifier', settings, environment('notifier'), register);
      return environment;
    }),
    ensureStaticPrograms(say),
  ]);
  await bringUpService('worker', settings, workerEnvironment(environment('worker'), engine), register);
  await cleanup.add('running note', writeRunningNote(settings.dataDir, engine));
  linkCommand(settings, say);
  await step(say, 'Waiting for gateway, worker and notifier', () =>
    waitForReady(settings, services, began, () => cleanup.started),
  );
  if (cleanup.started) return;
  const isRefused = !(await keyOpens(settings.url, key.key));
  const theirs = isRefused ? undefined : await shareKey(settings, key, callingUser(), say);
  // With sudo, the line to paste reads the key from the file that the calling user can read.
  const file = theirs ?? key.file;
  say(welcome(settings, { ...key, isRefused, file }, engine, Date.now() - began));
}

async function bringUpRedis(settings: Settings, register: ChildRegister): Promise<string> {
  if (settings.redisUrl !== undefined) return settings.redisUrl;
  const redis = await supervise(
    'Redis',
    async (onCrash) => {
      const running = await startRedis({
        folder: join(settings.dataDir, 'redis'),
        logFile: join(settings.dataDir, 'logs/redis.log'),
        say,
        register,
        onCrash,
      });
      return { ...running, stop: (graceMs?: number) => running.child.stop(graceMs) };
    },
    say,
  );
  await cleanup.add('redis', () => redis.stop());
  return redis.current.url;
}

async function bringUpService(
  name: ServiceName,
  settings: Settings,
  env: NodeJS.ProcessEnv,
  register: ChildRegister,
): Promise<void> {
  const service = await startService(name, settings, env, register, say);
  services.push(service);
  // The drain has its own deadline. What comes after it gets five more seconds.
  await cleanup.add(name, () => service.stop(settings.drainMs + 5_000));
}

function portTaken(settings: Settings): Error {
  return new Error(
    `Port ${settings.port} on ${settings.host} is in use. Choose another one: RUNLET_PORT=${settings.port + 1} npm start`,
  );
}

async function finish(code: number): Promise<void> {
  await cleanup.run();
  process.exit(code);
}
