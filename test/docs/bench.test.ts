import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { ensureLoaded, labImage } from '../support/lab-images.ts';

const root = new URL('../../', import.meta.url).pathname;
const { RUNLET_TEST_LAB: _, ...ownEnv } = process.env;

/** Those that the benchmark is given here; each image takes up to a minute where it has never been built. */
const images = ['debian', 'python', 'gcc'];

beforeAll(async () => {
  for (const name of images) await labImage(inject('lab'), name);
}, 600_000);

/** Runs the benchmark to its end; a test that fails on the way takes it, and all that it started, with it. */
async function bench(args: string[], env: Record<string, string> = {}) {
  // A group of its own: npm, the benchmark, gateway and worker get the signal together.
  const child = spawn('npm', ['run', '--silent', 'bench', '--', ...args], {
    cwd: root,
    detached: true,
    env: { ...ownEnv, ...env },
  });
  const closed = once(child, 'close');
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    process.kill(-(child.pid ?? 0), 'SIGTERM');
    await closed;
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (stdout += data));
  child.stderr.on('data', (data: Buffer) => (stderr += data));
  const [code] = await closed;
  return { code, stdout, stderr };
}

type Printed = { what: string; runlet: string; peer: string };

/** The table's rows; each column begins where its head does. */
function printed(stdout: string): Printed[] {
  const [head = '', ...rows] = stdout.trim().split('\n');
  expect(head).toMatch(/^what\s+runlet\s+peer\s+ratio\s+goal/);
  const cut = (row: string, from: string, to: string) =>
    row.slice(head.indexOf(from), head.indexOf(to)).trim();
  return rows.map((row) => ({
    what: cut(row, 'what', 'runlet'),
    runlet: cut(row, 'runlet', 'peer'),
    peer: cut(row, 'peer', 'ratio'),
  }));
}

/** The suite's own lab: to start another one, and to load the images into it, would take longer than all that is measured. */
const inSuiteLab = () => ({ RUNLET_TEST_LAB: JSON.stringify(inject('lab')) });

type Values =
  | { p50: number; p95: number; p99: number; n: number }
  | { amount: number; unit: string }
  | { mine: number; peer: number; ratio: number; unit: string };
type Written = { rounds: number; rows: (Printed & { values: Values })[] };

/** What was written as JSON, which goes again with the test. */
async function written(stderr: string): Promise<Written> {
  const [, file = ''] = /^written to (.+\.json)$/m.exec(stderr) ?? [];
  onTestFinished(() => rm(file));
  return JSON.parse(await readFile(file, 'utf8')) as Written;
}

/** That these numbers are finite, and what the table shows, but for its rounding. */
function expectAgreement({ rows }: Written, table: Printed[]): void {
  expect(rows.map(({ what, runlet, peer }) => ({ what, runlet, peer }))).toEqual(table);
  for (const { what, runlet, peer, values } of rows) {
    const numbers = Object.values(values).filter((value) => typeof value === 'number');
    expect(numbers.every(Number.isFinite), what).toBe(true);
    if ('n' in values) {
      const { p50, p95, p99, n } = values;
      expect(runlet).toBe(`${asShown([p50, p95, p99], runlet)} ms`);
      expect(peer).toBe('');
      expect(n, what).toBeGreaterThan(0);
    } else if ('amount' in values) {
      expect(runlet).toBe(`${asShown([values.amount], runlet)} ${values.unit}`);
      expect(peer).toBe('');
    } else {
      const { mine, unit, ratio } = values;
      expect(runlet).toBe(`${asShown([mine], runlet)} ${unit}`);
      expect(peer).toBe(`${asShown([values.peer], peer)} ${unit}`);
      expect(ratio, what).toBeCloseTo(mine / values.peer);
    }
  }
}

/** With as many decimal places as the cell has. */
function asShown(numbers: number[], cell: string): string {
  const places = /\.(\d+)/.exec(cell)?.[1]?.length ?? 0;
  return numbers.map((number) => number.toFixed(places)).join(' / ');
}

test('npm run bench prints its table', { timeout: 1_800_000 }, async () => {
  const { code, stdout, stderr } = await bench(
    ['--rounds', '1', '--languages', 'bash,python,c'],
    inSuiteLab(),
  );
  expect(code, stderr).toBe(0);
  const table = printed(stdout);
  expect(table.length).toBeGreaterThanOrEqual(30);
  expect(stdout).not.toContain('NaN');
  for (const language of ['bash', 'python', 'c, compiled'])
    expect(table.map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(RegExp(`^language ${language} \\(\\d+ of \\d+ warm\\) p50 / p95 / p99$`)),
        expect.stringMatching(RegExp(`^cold language ${language} \\(1 runs\\) p50 / p95 / p99$`)),
      ]),
    );
  for (const what of ['cold hello-world p50', 'warm bash', 'sustained bash, 16 at a time', 'CPU a run, bash'])
    expect(
      table.some((row) => row.what.includes(`: ${what}`)),
      what,
    ).toBe(true);
  const file = await written(stderr);
  expect(file.rounds).toBe(1);
  expectAgreement(file, table);
});

type Executed = { language: string; version: string; files: { content: string }[] };
type Answer = { status: number; body: unknown };

/** Answers as Piston's API v2 does, each time after a while. */
async function startPiston(print: (asked: Executed) => Answer) {
  for (const name of ['debian', 'python']) await ensureLoaded(inject('lab'), name);
  const runtimes = [
    { language: 'bash', version: '5.2.0', aliases: ['sh'] },
    { language: 'python', version: '3.12.0', aliases: ['py', 'python3'] },
  ];
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    let answer: Answer = { status: 404, body: { message: 'Not Found' } };
    if (asked.at(-1) === 'GET /api/v2/runtimes') answer = { status: 200, body: runtimes };
    if (asked.at(-1) === 'POST /api/v2/execute') answer = print((await json(request)) as Executed);
    setTimeout(() => {
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    }, pistonMs);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const pistonMs = 200;

/** As Piston does when a program ended well. */
const printing = ({ language, version }: Executed, stdout: string): Answer => ({
  status: 200,
  body: { language, version, run: { stdout, stderr: '', output: stdout, code: 0, signal: null } },
});

type Cmd = { args: string[]; copyIn: Record<string, { content: string }> } & Record<string, unknown>;

/** Answers as go-judge does to one command, when its program ended well. */
async function startGoJudge() {
  const commands: Cmd[] = [];
  const server = createServer(async (request, response) => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/version') return response.end(JSON.stringify({ buildVersion: 'v1.12.0' }));
    const { cmd } = (await json(request)) as { cmd: [Cmd] };
    commands.push(...cmd);
    const stdout = cmd[0].args[0]?.endsWith('bash') ? 'hi\n' : '1\n';
    const result = { status: 'Accepted', exitStatus: 0, files: { stdout, stderr: '' } };
    return response.end(JSON.stringify([result]));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, commands };
}

const onlyPeers = (args: string[], env: Record<string, string> = inSuiteLab()) =>
  bench(['--rounds', '2', '--only', 'piston,go-judge', '--drivers', 'engine', ...args], env);

test('--piston and --go-judge measure beside servers that are named', { timeout: 600_000 }, async () => {
  const outputs: Record<string, string> = { 'echo hi': 'hi\n', 'print(1)': '1\n' };
  const piston = await startPiston((asked) => printing(asked, outputs[asked.files[0]?.content ?? ''] ?? ''));
  const goJudge = await startGoJudge();
  const { code, stdout, stderr } = await onlyPeers(['--piston', `${piston.url}/`, '--go-judge', goJudge.url]);
  expect(code, stderr).toBe(0);
  const table = printed(stdout);
  expect(table.map(({ what }) => what)).toEqual(
    [`Piston at ${piston.url}`, `go-judge at ${goJudge.url}`].flatMap((peer) =>
      ['bash', 'python'].map((language) => `engine: ${language} p50, vs ${peer}`),
    ),
  );
  const file = await written(stderr);
  expectAgreement(file, table);
  for (const { values } of file.rows.slice(0, 2))
    expect('peer' in values && values.peer).toBeGreaterThan(pistonMs / 2);
  expect(piston.asked).toEqual(['GET /api/v2/runtimes', ...Array(4).fill('POST /api/v2/execute')]);
  const [bash, python] = [{ 'main.sh': { content: 'echo hi' } }, { 'main.py': { content: 'print(1)' } }];
  expect(goJudge.commands.map(({ copyIn }) => copyIn)).toEqual([bash, bash, python, python]);
  for (const cmd of goJudge.commands)
    expect(cmd).toMatchObject({ cpuLimit: 1e10, memoryLimit: 256 * 1024 ** 2, procLimit: 64 });
});

test('--piston says what the server fails at, and measures the rest', { timeout: 600_000 }, async () => {
  const piston = await startPiston((asked) =>
    asked.language === 'python'
      ? { status: 500, body: { message: 'out of sandboxes' } }
      : printing(asked, 'hi\n'),
  );
  const { code, stdout, stderr } = await onlyPeers(['--piston', piston.url]);
  expect(code, stderr).toBe(0);
  const url = `${piston.url}/api/v2/execute`;
  expect(stderr).toContain(`without Piston’s python: ${url}: 500 {"message":"out of sandboxes"}`);
  const table = printed(stdout);
  expect(table.map(({ what }) => what)).toEqual([`engine: bash p50, vs Piston at ${piston.url}`]);
  expectAgreement(await written(stderr), table);
});

test('--piston and --go-judge say so of servers that are none', { timeout: 600_000 }, async () => {
  const piston = await startPiston(() => ({ status: 200, body: {} }));
  const url = `${piston.url}/elsewhere`;
  // Nothing is loaded for it: here the benchmark starts a lab of its own.
  expect(await onlyPeers(['--piston', url, '--go-judge', url], {})).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(
      RegExp(
        `^without Piston: ${url}/api/v2/runtimes: 404 [^]*\nwithout go-judge: ${url}/version: 404 .*--go-judge is the address.*\n[^]*^bench: nothing was measured\\.$`,
        'm',
      ),
    ),
  });
});

test('npm run bench says what it can be asked for', async () => {
  const help = await bench(['--help']);
  expect(help.stdout).toContain('--only warm,sustained');
  expect(help.stdout).toContain('--go-judge URL');
  const refused = await bench(['--only', 'nothing']);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('"nothing"') });
});
