import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Home, makeHome, npmStart, type Started } from '../infra/support/npm-start.ts';
import { processesWith } from '../infra/support/processes.ts';

// Whoever gets at one of the programs gets at its environment: there is in it what that program needs, and no more.

const secrets = {
  RUNLET_API_KEY: 'rlk_given-by-its-operator',
  RUNLET_SECRET_KEY: 'a secret key of its operator 0123456789',
  RUNLET_S3_SECRET_ACCESS_KEY: 's3-secret-of-its-operator',
  RUNLET_WEBHOOK_SECRET: 'whsec_C2FVsBQIhrscChlQIMV',
  AWS_SECRET_ACCESS_KEY: 'aws-secret-of-its-operator',
  GITHUB_TOKEN: 'token-of-its-operator',
  SSH_AUTH_SOCK: '/run/agent-of-its-operator',
  NODE_AUTH_TOKEN: 'npm-token-of-its-operator',
};
let home: Home;
let started: Started;
beforeAll(async () => {
  home = await makeHome({ DOCKER_HOST: inject('lab').dockerHost });
  started = npmStart(home, secrets);
  await started.said('Ctrl-C stops it.');
});
afterAll(async () => {
  started.process.kill('SIGINT');
  await started.ended;
  await home.remove();
});

/** By the part of their command line; `npm start` itself and its shells aside, whose environment is the user's. */
function environmentOf(command: string): Record<string, string> {
  const line = processesWith(home.dataDir).find((one) => one.includes(command) && !one.includes('setpriv'));
  if (line === undefined) throw new Error(`${command} does not run`);
  const text = readFileSync(`/proc/${line.split(' ')[0]}/environ`, 'utf8');
  return Object.fromEntries(text.split('\0').map((one) => one.split(/=(.*)/s).slice(0, 2)));
}

test.each([
  ['services/gateway/main.ts', ['RUNLET_API_KEY', 'RUNLET_SECRET_KEY', 'RUNLET_S3_SECRET_ACCESS_KEY']],
  ['services/worker/main.ts', ['RUNLET_SECRET_KEY', 'RUNLET_S3_SECRET_ACCESS_KEY', 'SSH_AUTH_SOCK']],
  ['services/notifier/main.ts', ['RUNLET_SECRET_KEY']],
])('%s is told %j, and no other secret', (command, wanted) => {
  const environment = environmentOf(command);
  const told = Object.entries(secrets).filter(([, value]) => Object.values(environment).includes(value));
  expect(told.map(([name]) => name)).toEqual(wanted);
});

test('what is started beside them is told none', () => {
  const [redis = ''] = processesWith(home.dataDir).filter((one) => /redis-server|valkey-server/.test(one));
  const text = readFileSync(`/proc/${redis.split(' ')[0]}/environ`, 'utf8');
  for (const name of ['RUNLET_API_KEY', 'RUNLET_SECRET_KEY', 'RUNLET_S3_SECRET_ACCESS_KEY'] as const)
    expect([name, text.includes(secrets[name])]).toEqual([name, false]);
});
