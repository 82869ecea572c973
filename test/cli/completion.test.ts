import { execFile } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cleanUp, runCli, userFolder } from './support/cli.ts';
import { StubApi, testKey } from './support/stub-api.ts';
import { status } from './support/stub-runs.ts';
import { cliWord } from './support/terminal.ts';

const execute = promisify(execFile);
const folder = userFolder();
let api: StubApi;
let script = '';

beforeAll(async () => {
  script = (await runCli(['completion', 'bash'])).out;
  writeFileSync(join(folder.path, 'runlet'), `#!/bin/sh\nexec ${cliWord} "$@"\n`);
  chmodSync(join(folder.path, 'runlet'), 0o755);
});
beforeEach(async () => {
  api = await new StubApi().start();
});
afterEach(() => api.stop());
afterAll(() => {
  folder.remove();
  cleanUp();
});

/** What bash offers after these words; the last one is what is being typed. */
async function offered(...words: string[]): Promise<string[]> {
  const line = ['runlet', ...words].map((word) => `'${word}'`).join(' ');
  const asked = `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _runlet; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await execute('bash', ['--norc', '-euc', `source /dev/stdin <<<"$SCRIPT"; ${asked}`], {
    env: {
      SCRIPT: script,
      PATH: `${folder.path}:${process.env.PATH}`,
      HOME: folder.path,
      RUNLET_URL: api.url,
      RUNLET_API_KEY: testKey,
    },
  });
  return stdout.split('\n').filter((one) => one !== '');
}

describe('completion in bash', () => {
  it('offers commands, those below them, and other names of them', async () => {
    expect(await offered('')).toEqual(expect.arrayContaining(['run', 'ps', 'list', 'completion', 'volumes']));
    expect(await offered('dr')).toEqual(['drain']);
    expect(await offered('webhooks', '')).toEqual(expect.arrayContaining(['add', 'ls', 'listen']));
    expect(await offered('webhooks', 'redel')).toEqual(['redeliver']);
  });

  it('offers the options of the command that is typed, and what one of them may be', async () => {
    expect(await offered('list', '--meta')).toEqual(['--metadata']);
    expect(await offered('webhooks', 'deliveries', '--st')).toEqual(['--status']);
    expect(await offered('up', 'nginx', '--restart', '')).toEqual(['always', 'on-failure', 'never']);
    expect(await offered('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(await offered('completion', '--qu')).toEqual(['--quiet']);
  });

  it('offers ids, and nothing that a shell would carry out', async () => {
    api.script = { events: [status('running')], hold: true };
    const id = (await runCli(['run', '-d', 'busybox'], { url: api.url })).out.trim();
    expect(await offered('cancel', 'run_0')).toEqual([id]);
    expect(await offered('cancel', 'run_1')).toEqual([]);
    expect(await offered('cancel', '$(touch carried-out)')).toEqual([]);
  });
});

describe('the scripts for other shells', () => {
  it.each(['zsh', 'fish'])('%s: name every command and option', async (shell) => {
    const { code, out, stderr } = await runCli(['completion', shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const word of ['undrain', 'restart', 'redeliver', 'webhook-secret']) expect(out).toContain(word);
    // A quote in a description would end the word that it stands in.
    for (const line of out.split('\n').filter((one) => !one.startsWith('#')))
      expect((line.match(/'/g) ?? []).length % 2, line).toBe(0);
  });

  it('there is none for an unknown one', async () => {
    const ended = await runCli(['completion', 'tcsh']);
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.stderr).toContain('bash, zsh, fish');
  });
});
