import { readdirSync, readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { startEnvironment } from '../../infra/start/settings.ts';
import { loadConfig } from '../../services/cli/config/config.ts';
import { userFilePath } from '../../services/cli/config/user-file.ts';
import { gatewayEnvironment } from '../../services/gateway/environment.ts';
import { notifierEnvironment } from '../../services/notifier/environment.ts';
import { workerEnvironment } from '../../services/worker/environment.ts';
import { pages, root } from './pages.ts';

const page = pages.get('infra/docs/CONFIGURATION.md') ?? '';
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split(/(?<!\\) ?\| ?/).slice(1, -1));
const defaults = new Map(rows.map(([name = '', listed = '']) => [name.replaceAll('`', ''), listed]));

const programs = {
  gateway: gatewayEnvironment,
  worker: workerEnvironment,
  notifier: notifierEnvironment,
  'npm start': startEnvironment,
};
const fields = Object.entries(programs).flatMap(([program, { shape }]) =>
  Object.entries(shape).map(([name, field]) => ({ program, name, field: field as z.ZodType })),
);

/** `${NAME:-default}` or `${NAME-default}`; `${NAME:?why}` has no default. */
const compose = ['docker-compose.yml', 'infra/compose/direct.yml']
  .flatMap((file) => [
    ...readFileSync(`${root}${file}`, 'utf8').matchAll(/\$\{(\w+)(?::?-([^}]*)|:\?[^}]*)?\}/g),
  ])
  .map(([, name = '', fallback]) => ({ name, fallback }));

/** Names that sources read by themselves, as in `process.env.NAME`. */
function readIn(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(?:ts|cjs)$/.test(path))
    .flatMap((path) => [
      ...readFileSync(join(root, folder, path), 'utf8').matchAll(/\benv\.((?:RUNLET|DOCKER)_\w+)/g),
    ])
    .map(([, name = '']) => name);
}

const known = new Set([
  ...fields.map(({ name }) => name),
  ...compose.map(({ name }) => name),
  ...['services', 'shared', 'infra'].flatMap(readIn),
]);

/** Defaults that are found out at the start, by the words of the page. */
const foundOut: Record<string, unknown> = {
  'the host’s name': hostname(),
  'the worker’s own': process.getuid?.(),
  // The schema says 0 for it, and what is set has to be more.
  '80 % of the Engine’s': 0,
  'made at the first start': undefined,
  none: undefined,
};

/** What the page says, read as a program reads it. */
function meaning(listed: string, field: z.ZodType): unknown {
  if (Object.hasOwn(foundOut, listed)) return foundOut[listed];
  const [forRoot = '', forOthers = forRoot] = [...listed.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
  const text = process.getuid?.() === 0 ? forRoot : forOthers;
  return field.parse(text.replace(/^~/, homedir()).replace(/^infra\//, `${root}infra/`));
}

/** An empty list or text is none. */
const orNone = (value: unknown) =>
  value === '' || (Array.isArray(value) && value.length === 0) ? undefined : value;

test('each row names one variable', () => {
  for (const [name] of rows) expect(name).toMatch(/^`(?:RUNLET|DOCKER)_[A-Z0-9_]+`$/);
});

test('each variable is listed once', () => {
  expect(rows.length).toBeGreaterThan(80);
  expect(defaults.size).toBe(rows.length);
});

test('every variable is listed', () => {
  expect([...known].filter((name) => !defaults.has(name))).toEqual([]);
});

test('no variable is listed that nothing reads', () => {
  expect([...defaults.keys()].filter((name) => !known.has(name))).toEqual([]);
});

describe('the default that is listed is the true one', () => {
  test.each(fields)('of $name for the $program', ({ program, name, field }) => {
    const listed = defaults.get(name) ?? '';
    const { data } = field.safeParse(undefined);
    // Without one, npm start runs a Redis of its own, and tells the programs where.
    if (program === 'npm start' && name === 'RUNLET_REDIS_URL') expect(data).toBeUndefined();
    else if (name === 'RUNLET_CONFIG_DIR') expect(data).toBeUndefined();
    else expect(orNone(data)).toEqual(meaning(listed, field));
  });

  test.each(compose.filter(({ fallback }) => fallback))('of $name for Compose', ({ name, fallback }) => {
    expect(defaults.get(name)).toBe(`\`${fallback}\``);
  });

  test('of the CLI’s server and folder', () => {
    const { url } = loadConfig({}, { RUNLET_CONFIG_DIR: '/nowhere' });
    expect(defaults.get('RUNLET_URL')).toBe(`\`${url}\``);
    const folder = dirname(userFilePath({}));
    expect(defaults.get('RUNLET_CONFIG_DIR')).toBe(`\`${folder.replace(homedir(), '~')}\``);
  });
});
