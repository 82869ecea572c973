import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { harmlessLine, jsonText, oneLine, printable } from '../../services/cli/output/harmless.ts';
import { cleanUp, runCli } from '../cli/support/cli.ts';
import { StubApi } from '../cli/support/stub-api.ts';
import { exit, stdout } from '../cli/support/stub-runs.ts';

// What a server or a user has named is shown by the CLI, and does nothing to the terminal that shows it.

let api: StubApi;
beforeEach(async () => {
  api = await new StubApi().start();
});
afterEach(() => api.stop());
afterAll(cleanUp);

const evil = [
  '\x1b[2J',
  '\x1b]0;title\x07',
  '\x1b]52;c;cm0gLXJm\x07',
  '\x1bP$q\x1b\\',
  '\x9b31m',
  '\x9d0;x\x9c',
  '\x00',
  '\x08\x08',
  '\r',
  '\x7f',
  '\u202eexe.gnp\u202c',
  '\u2066x\u2069',
  '\u200f',
  '\u061c',
  '\u2028',
  '\u2029',
  '\u0085',
  '\ufffb',
  '\u{e0041}',
].join('a');
const harm =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/u;

test('`runlet show` prints names, values and errors from elsewhere without what a terminal obeys', async () => {
  const key = `k${evil}`.slice(0, 64);
  const record = {
    metadata: { [key]: `v${evil}\nstatus     forged`, 'a\nworker  forged': 'b' },
    worker: `w${evil}`,
    image: { reference: `busybox${evil}`, digest: `sha256:${evil}` },
    error: {
      type: 'x',
      title: `t${evil}\nid  forged`,
      status: 422,
      detail: `d${evil}\nid  forged`,
      code: 'start_failed',
    },
  } as never;
  api.script = { events: [stdout('raw \x1b[1mbold\x1b[0m \u202e\n'), exit('errored')], record };
  const id = (await runCli(['run', '-d', 'busybox'], { url: api.url })).out.trim();
  const shown = await runCli(['show', id], { url: api.url });
  expect(shown.out).toContain('metadata k');
  expect([shown.out, shown.stderr].join('')).not.toMatch(harm);
  expect(shown.out).not.toMatch(/^(?:status +forged|worker +forged|id +forged)/m);
  const table = await runCli(['ps', '-a'], { url: api.url });
  expect(table.out + table.stderr).not.toMatch(harm);
  expect(table.out.trim().split('\n')).toHaveLength(2);

  // What a program wrote is the program's.
  const logs = await runCli(['logs', id], { url: api.url });
  expect(logs.out).toBe('raw \x1b[1mbold\x1b[0m \u202e\n');

  // As JSON nothing of it is lost, and nothing of it is obeyed.
  const json = await runCli(['show', '--json', id], { url: api.url });
  expect(json.out).not.toMatch(harm);
  expect(JSON.parse(json.out).metadata[key]).toBe(`v${evil}\nstatus     forged`);
  const lines = await runCli(['logs', '--json', id], { url: api.url });
  expect(lines.out).not.toMatch(harm);
  expect(JSON.parse(lines.out.split('\n')[0] ?? '').data).toContain('\u202e');
});

test('an answer of a server that is none is told without what a terminal obeys', async () => {
  const { createServer } = await import('node:http');
  const server = createServer((_, answer) => {
    answer.writeHead(400, { 'content-type': 'application/problem+json' });
    answer.end(
      JSON.stringify({
        ...{
          type: 'x',
          status: 400,
          code: `c${evil}`,
          title: `t${evil}\nrunlet: forged`,
          detail: `d${evil}`,
        },
        errors: [{ path: `p${evil}`, message: `m${evil}\nrunlet: forged` }],
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  for (const args of [['ps'], ['show', `x${evil.replaceAll('\0', '')}`], ['ps', '--json'], ['run', 'x']]) {
    const told = await runCli(args, { url: `http://127.0.0.1:${port}` });
    expect(told.out + told.stderr).not.toMatch(harm);
    expect(told.stderr).not.toMatch(/^runlet: forged/m);
  }
  server.close();
});

test('texts', () => {
  expect(printable(`a${evil}b`)).not.toMatch(harm);
  expect(printable('tab\tand\nline, ✓ é 日本 👩‍👧')).toBe('tab\tand\nline, ✓ é 日本 👩‍👧');
  expect(oneLine('a\n\tb  c')).toBe('a b c');
  expect(harmlessLine(`\x1b[31mred\x1b[0m${evil}`).startsWith('\x1b[31mred\x1b[0m')).toBe(true);
  expect(harmlessLine('\x1b[31mred\x1b[0m\x1b]0;x\x07\x9b')).toBe('\x1b[31mred\x1b[0m]0;x');
  const value = { [evil]: [evil, '\ud800'] };
  expect(jsonText(value)).not.toMatch(harm);
  expect(JSON.parse(jsonText(value, 2))).toEqual(JSON.parse(JSON.stringify(value)));
});
