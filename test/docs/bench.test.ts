import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;

test('npm run bench prints its table', async () => {
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'bench', '--', '--rounds', '2'], {
    cwd: root,
  });
  const [head, ...rows] = stdout.trim().split('\n');
  expect(head).toMatch(/^what\s+runlet\s+peer\s+ratio\s+goal/);
  expect(rows.length).toBeGreaterThanOrEqual(9);
  for (const row of rows) expect(row).not.toContain('NaN');
});
