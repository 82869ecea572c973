import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { buildImage } from '../../infra/images/build.ts';

const root = new URL('../../', import.meta.url).pathname;
const said: string[] = [];
const say = (line: string) => said.push(line);

/** Those that the benchmark is given here; each image takes up to a minute where it has never been built. */
const images = ['debian', 'python', 'gcc'];

beforeAll(async () => {
  for (const name of images) await buildImage(name, inject('lab').imageCache, say);
}, 600_000);

/** Runs the benchmark to its end; a test that fails on the way takes it, and all that it started, with it. */
async function bench(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  // A group of its own: npm, the benchmark, gateway and worker get the signal together.
  const child = spawn('npm', ['run', '--silent', 'bench', '--', ...args], { cwd: root, detached: true });
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

test('npm run bench prints its table', { timeout: 600_000 }, async () => {
  const { code, stdout, stderr } = await bench('--rounds', '2', '--languages', 'bash,python,c');
  expect(code, stderr).toBe(0);
  const [head, ...rows] = stdout.trim().split('\n');
  expect(head).toMatch(/^what\s+runlet\s+peer\s+ratio\s+goal/);
  expect(rows.length).toBeGreaterThanOrEqual(25);
  for (const row of rows) expect(row).not.toContain('NaN');
});

test('npm run bench says what it can be asked for', async () => {
  const help = await bench('--help');
  expect(help.stdout).toContain('--only warm,sustained');
  const refused = await bench('--only', 'nothing');
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('"nothing"') });
});
