import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { safeParts } from '../../services/cli/files/download.ts';
import { artifactKey } from '../../shared/blobs/blob-store.ts';
import type { StoredArtifact } from '../../shared/stores/run-record.ts';
import { cleanUp, runCli, startCli, userFolder } from './support/cli.ts';
import { type Real, startReal } from './support/real.ts';

let real: Real;
let folder: ReturnType<typeof userFolder>;
beforeAll(async () => {
  real = await startReal();
});
beforeEach(() => {
  folder = userFolder();
});
afterEach(() => folder.remove());
afterAll(async () => {
  cleanUp();
  await real.stop();
});

const inFolder = () => ({ url: real.url, cwd: folder.path });
const read = (path: string) => readFileSync(join(folder.path, path), 'utf8');

/** Ends the next run with these files kept. */
async function keep(files: Record<string, string>, corrupt = false): Promise<string> {
  const run = await real.nextRun();
  const holder = await real.worker.start(run.id);
  const artifacts: StoredArtifact[] = [];
  for (const [index, [path, text]] of Object.entries(files).entries()) {
    const key = artifactKey(holder.tenant, run.id, holder.attempt, index);
    artifacts.push({ path, ...(await real.on.gateway.blobs.put(key, Buffer.from(text))) });
    if (corrupt) await real.on.gateway.blobs.put(key, Buffer.from(text.replace(/./, '?')));
  }
  await real.worker.finish(holder, 'succeeded', { artifacts });
  return run.id;
}

async function runAndFetch(files: Record<string, string>, corrupt = false) {
  const cli = startCli(['run', '--artifact', '**', '-o', 'results', 'busybox'], inFolder());
  const id = await keep(files, corrupt);
  return { id, ...(await cli.ended) };
}

describe('runlet run --artifact', () => {
  it('fetches what was kept, under its own names', async () => {
    const ended = await runAndFetch({ 'out/a.txt': 'a', 'out/deep/ü (1)%.txt': 'ü', b: '' });
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain('results/out/a.txt (1 B)');
    expect([read('results/out/a.txt'), read('results/out/deep/ü (1)%.txt'), read('results/b')]).toEqual([
      'a',
      'ü',
      '',
    ]);
    expect(readdirSync(join(folder.path, 'results')).sort()).toEqual(['b', 'out']);
  });

  it('takes the place of what is there, of a link and not of what it leads to', async () => {
    mkdirSync(join(folder.path, 'results'));
    writeFileSync(join(folder.path, 'mine'), 'mine');
    writeFileSync(join(folder.path, 'results/old'), 'old');
    symlinkSync('../mine', join(folder.path, 'results/link'));
    await runAndFetch({ old: 'new', link: 'new' });
    expect([read('results/old'), read('results/link'), read('mine')]).toEqual(['new', 'new', 'mine']);
  });

  it('writes through no folder that is a link', async () => {
    mkdirSync(join(folder.path, 'results'));
    mkdirSync(join(folder.path, 'elsewhere'));
    symlinkSync('../elsewhere', join(folder.path, 'results/out'));
    const ended = await runAndFetch({ 'out/a': 'a' });
    expect(ended.code).toBe(125);
    expect(ended.stderr).toContain('is no folder');
    expect(readdirSync(join(folder.path, 'elsewhere'))).toEqual([]);
  });

  it.each(['../evil', 'a/../../evil', '/tmp/evil-artifact', 'a//b', './a'])(
    'does not fetch %s, whatever a server says',
    async (path) => {
      const ended = await runAndFetch({ [path]: 'evil' });
      expect(ended.code).toBe(125);
      expect(ended.stderr).toContain('would leave the folder');
      expect(existsSync(join(folder.path, 'evil'))).toBe(false);
      expect(existsSync('/tmp/evil-artifact')).toBe(false);
    },
  );

  it('leaves nothing of a file that did not arrive whole', async () => {
    const ended = await runAndFetch({ a: 'content' }, true);
    expect(ended.code).toBe(125);
    expect(ended.stderr).toContain('did not arrive whole');
    expect(readdirSync(join(folder.path, 'results'))).toEqual([]);
  });

  it('says what was kept where nothing is to be fetched, and that nothing was', async () => {
    const cli = startCli(['run', '--artifact', '*', 'busybox'], inFolder());
    const id = await keep({ a: 'x' });
    expect((await cli.ended).stderr).toContain(`1 file was kept: \`runlet artifacts ${id}\``);
    expect((await runAndFetch({})).stderr).toMatch(/Nothing matched --artifact \S+: no file was kept\./);
  });
});

describe('runlet artifacts', () => {
  it('lists, and fetches later', async () => {
    const cli = startCli(['run', '--artifact', '*', '-q', 'busybox'], inFolder());
    const id = await keep({ 'a.txt': 'text' });
    expect((await cli.ended).stderr).toBe('');
    const listed = await runCli(['artifacts', id], inFolder());
    expect(listed.out).toMatch(/^PATH +SIZE +SHA-256\na\.txt +4 B +[0-9a-f]{12}\n$/);
    const json = await runCli(['artifacts', '--json', id], inFolder());
    expect(JSON.parse(json.out)).toMatchObject({ data: [{ path: 'a.txt', sizeBytes: 4 }] });
    expect((await runCli(['artifacts', '-o', '.', id], inFolder())).code).toBe(0);
    expect(read('a.txt')).toBe('text');
    expect((await runCli(['artifacts', 'run_none'], inFolder())).code).toBe(1);
  });
});

it.each(['', '.', '..', 'a/', '/a', 'a/../b', 'a\0b'])('%j is no safe name', (path) => {
  expect(() => safeParts(path)).toThrow('would leave');
});
