import { stripVTControlCharacters } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanUp, runCli } from './support/cli.ts';
import { StubApi, testKey } from './support/stub-api.ts';
import { healthy } from './support/stub-worker.ts';
import { cliWord, onTerminal } from './support/terminal.ts';

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
  const engine = { ...healthy.engine, version: '20.10.24', runcVersion: '1.5.0' };
  api.workers = [{ ...healthy, engine }];
});
afterEach(() => api.stop());
afterAll(cleanUp);

const cli = (...args: string[]) => runCli(args, { url: api.url });

describe('what `runlet doctor` prints', () => {
  it('is one line for the advisories of a version, each with --cve, and all of them for machines', async () => {
    const { out } = await cli('doctor');
    const all = await cli('doctor', '--cve');
    const { checks } = JSON.parse((await cli('doctor', '--json')).out);
    const advised = checks.filter(({ name }: { name: string }) => name === 'worker node-a: engine version');
    expect(advised.length).toBeGreaterThan(2);
    const lines = (text: string) => text.split('\n').filter((line) => line.includes('engine version'));
    expect(lines(out)).toHaveLength(1);
    expect(lines(out)[0]).toMatch(
      new RegExp(
        `engine version: Docker Engine 20\\.10\\.24: ${advised.length} advisories.*, \`runlet doctor --cve\` shows them$`,
      ),
    );
    expect(out).not.toContain('CVE-');
    expect(lines(all.out)).toHaveLength(advised.length);
    expect(all.out).toContain('CVE-');
  });

  it('ends with how many there are of each status', async () => {
    const count = (text: string, status: string) => text.match(new RegExp(`^${status} `, 'gm'))?.length ?? 0;
    const { out } = await cli('doctor');
    const last = out.trimEnd().split('\n').at(-1);
    const [ok, warnings, failed] = ['ok', 'warning', 'failed'].map((status) => count(out, status));
    expect([warnings, failed].sort()).toEqual([0, 1]);
    expect(last).toBe(`${ok} ok, 1 ${warnings === 1 ? 'warning' : 'failed'}`);
  });

  it('breaks its lines between words on a terminal', async () => {
    const shown = onTerminal(`stty cols 60; ${cliWord} doctor --cve`, { url: api.url, apiKey: testKey });
    await shown.ended;
    const lines = stripVTControlCharacters(shown.screen()).split(/\r?\n/);
    // Without those that say how long something took, and where the user’s folder is.
    const timeless = (text: string) => text.split(/\s+/).filter((word) => !/\d|config\.json/.test(word));
    const words = new Set(timeless((await cli('doctor', '--cve')).out));
    for (const line of lines) {
      for (const word of timeless(line)) expect(words, line).toContain(word);
      expect(line.length, line).toBeLessThanOrEqual(60);
    }
  });
});
