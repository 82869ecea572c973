import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { root } from './pages.ts';

const run = promisify(execFile);

/** A program of a dependency, in the folder of this test. */
const tool = (name: string, ...args: string[]) =>
  run(process.execPath, [join(root, 'node_modules/.bin', name), ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  }).catch((error: Error & { stdout: string; stderr: string }) => {
    throw new Error(`${name}: ${error.stdout}\n${error.stderr}`);
  });

/** What the document promises to TypeScript: each line that is marked must not compile. */
const withTypes = `
import type { components, operations } from './schema.js';

type Schemas = components['schemas'];
type CreateRun = operations['createRun'];

const request: Schemas['RunRequest'] = { image: 'busybox', command: ['sh', '-c', 'echo out; echo err >&2'] };
// @ts-expect-error An image or a language is needed.
export const nothing: Schemas['RunRequest'] = { command: ['true'] };
export const code: Schemas['CodeRunRequest'] = { language: 'python', code: 'print(1)', limits: { cpus: 1 } };
export const service: Schemas['ServiceRequest'] = { image: 'nginx', port: 80, health: { path: '/' } };
// @ts-expect-error A problem is never null.
export const problem: Schemas['Problem'] = null;
// @ts-expect-error There is no such code.
export const unknown: Schemas['Problem']['code'] = 'nonsense';
export const none: Schemas['Run']['error'] = null;

const headers: CreateRun['parameters']['header'] = { Prefer: 'wait=60', 'Idempotency-Key': 'once' };
const answer = await fetch(\`\${process.env.RUNLET_URL}/v1/runs\`, {
  method: 'POST',
  headers: { ...headers, authorization: \`Bearer \${process.env.RUNLET_API_KEY}\`, 'content-type': 'application/json' },
  body: JSON.stringify(request),
});
const run = (await answer.json()) as CreateRun['responses'][200]['content']['application/json'];
const events = await fetch(\`\${process.env.RUNLET_URL}/v1/runs/\${run.id}/events\`, {
  headers: { authorization: \`Bearer \${process.env.RUNLET_API_KEY}\` },
});
const told: string[] = [];
for (const [, data = ''] of (await events.text()).matchAll(/^data: (.*)$/gm)) {
  const event = JSON.parse(data) as Schemas['RunEvent'];
  if (event.type === 'stdout' || event.type === 'stderr') told.push(\`\${event.type} \${event.data.trim()}\`);
  if (event.type === 'exit') told.push(\`exit \${event.exitCode}\`);
}
console.log(JSON.stringify({ status: run.status, stdout: run.stdout, told }));
`;

const withClient = `
import { type RunEvent, createRun, followRun } from './client/index.js';
import { client } from './client/client.gen.js';

client.setConfig({ baseUrl: process.env.RUNLET_URL ?? '', auth: process.env.RUNLET_API_KEY ?? '' });

const { data, error } = await createRun({
  headers: { Prefer: 'wait=60', 'Idempotency-Key': 'twice' },
  body: { image: 'busybox', command: ['sh', '-c', 'echo out; echo err >&2'] },
});
if (data === undefined) throw new Error(\`\${error.code}: \${error.detail}\`);
const told: string[] = [];
const { stream } = await followRun({ path: { id: data.id } });
for await (const event of stream) {
  // (204: nothing follows.)
  if (typeof event !== 'object') break;
  const known: RunEvent = event;
  if (known.type === 'stdout' || known.type === 'stderr') told.push(\`\${known.type} \${known.data.trim()}\`);
  if (known.type === 'exit') told.push(\`exit \${known.exitCode}\`);
  if (known.type === 'exit') break;
}
// @ts-expect-error An image or a language is needed.
const refused = await createRun({ body: {} });
const code: 'validation_failed' | 'other' = refused.error?.code === 'validation_failed' ? refused.error.code : 'other';
console.log(JSON.stringify({ status: data.status, stdout: data.stdout, told, code }));
`;

const compilerOptions = {
  target: 'esnext',
  module: 'nodenext',
  strict: true,
  types: ['node'],
  typeRoots: [join(root, 'node_modules/@types')],
  // Of the types of Node alone: what is generated is no library.
  skipLibCheck: true,
  rootDir: '.',
  outDir: 'out',
};

let runlet: Runlet;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlet-clients-'));
  runlet = await startRunlet(inject('lab'));
  const document = await (await fetch(`${runlet.url}/openapi.json`)).text();
  await writeFile(join(folder, 'openapi.json'), document);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, exclude: ['out'] }));
});
afterAll(async () => {
  await runlet.stop();
  await rm(folder, { recursive: true, force: true });
});

test('redocly’s recommended rules find nothing in it', async () => {
  const { stdout } = await tool('redocly', 'lint', 'openapi.json', '--extends=recommended', '--format=json');
  const { problems } = JSON.parse(stdout) as { problems: { ruleId: string; message: string }[] };
  expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
});

test('clients that openapi-typescript and hey-api generate from it compile under strict, and run a program', async () => {
  await tool('openapi-typescript', 'openapi.json', '--output', 'schema.ts');
  await tool('openapi-ts', '--input', 'openapi.json', '--output', 'client');
  await writeFile(join(folder, 'with-types.ts'), withTypes);
  await writeFile(join(folder, 'with-client.ts'), withClient);
  await tool('tsc', '--project', '.');
  const env = { ...process.env, RUNLET_URL: runlet.url, RUNLET_API_KEY: runlet.apiKey };
  const told = expect.arrayContaining(['stdout out', 'stderr err', 'exit 0']);
  const expected = { status: 'succeeded', stdout: 'out\n', told };
  const output = async (program: string) =>
    JSON.parse((await run(process.execPath, [join(folder, 'out', program)], { env })).stdout) as unknown;
  expect(await output('with-types.js')).toEqual(expected);
  expect(await output('with-client.js')).toEqual({ ...expected, code: 'validation_failed' });
});
