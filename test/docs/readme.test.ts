import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { gatewayEnvironment } from '../../services/gateway/environment.ts';
import { notifierEnvironment } from '../../services/notifier/environment.ts';
import { workerEnvironment } from '../../services/worker/environment.ts';
import { ensureLoaded } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url).pathname;
const readme = readFileSync(`${root}README.md`, 'utf8');

/** Blocks of one language, in order. */
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  );

/** A command and what the README says it prints; `…` stands for anything. */
const examples = blocks('console').map((block) => {
  const [first = '', ...output] = block.split('\n');
  return { command: first.replace(/^\$ /, ''), output: output.join('\n').trimEnd() };
});

const pattern = (output: string) =>
  new RegExp(
    `^${output
      .split('…')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('[\\s\\S]*')}$`,
  );

const lab = inject('lab');
let runlet: Runlet;
// Building Python's image takes half a minute where that has not been done before.
beforeAll(async () => {
  await ensureLoaded(lab, 'python');
  runlet = await startRunlet(lab);
}, 300_000);
afterAll(async () => {
  await runlet.stop();
});

test('there are five examples', () => {
  expect(examples).toHaveLength(5);
});

describe('each example prints what the README says', () => {
  test.each(examples)('$command', async ({ command, output }) => {
    const { stdout } = await run('bash', ['-c', `exec 2>&1 </dev/null\n${command}`], {
      cwd: root,
      env: {
        ...process.env,
        PATH: `${root}infra/bin:${process.env.PATH}`,
        RUNLET_URL: runlet.url,
        RUNLET_API_KEY: runlet.apiKey,
        NO_COLOR: '1',
      },
    });
    expect(stdout.trimEnd()).toMatch(pattern(output));
  });
});

test('every other command is executed by a test that is named here', () => {
  const executedBy: Record<string, string> = {
    'npm start': 'test/infra/start.test.ts',
    'npm test': '.ci/run',
    'npm run images -- hello-world busybox': 'test/infra/images.test.ts',
    'npm run bench -- --rounds 40': 'test/docs/bench.test.ts',
    'docker compose up -d --build': 'test/infra/compose.test.ts',
  };
  const commands = blocks('sh').flatMap((block) => block.trim().split('\n'));
  expect(commands.toSorted()).toEqual(Object.keys(executedBy).toSorted());
  for (const file of Object.values(executedBy)) expect(() => readFileSync(`${root}${file}`)).not.toThrow();
});

test('every variable of the environment is in the table, and nothing else', () => {
  const known = new Set(
    [gatewayEnvironment, workerEnvironment, notifierEnvironment].flatMap(({ shape }) => Object.keys(shape)),
  );
  const table = readme.slice(readme.indexOf('## Configuration'), readme.indexOf('## Developing'));
  const named = new Set(
    [...table.matchAll(/`((?:RUNLET|DOCKER)_[A-Z0-9_]+)`/g)].map((match) => match[1] ?? ''),
  );
  expect([...known].filter((name) => !named.has(name))).toEqual([]);
  const elsewhere = new Set([
    'RUNLET_URL',
    'RUNLET_RUNSC_ARGS',
    'RUNLET_CONFIG_DIR',
    'DOCKER_TLS_VERIFY',
    'DOCKER_CERT_PATH',
  ]);
  expect([...named].filter((name) => !known.has(name) && !elsewhere.has(name))).toEqual([]);
});
