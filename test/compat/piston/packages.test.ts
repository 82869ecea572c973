import { afterAll, beforeAll, expect, test } from 'vitest';
import { listRuntimes } from '../../../services/gateway/compat/piston/languages.ts';
import { listLanguages } from '../../../shared/languages/index.ts';
import { type PistonGateway, startPiston } from './support.ts';

let on: PistonGateway;
beforeAll(async () => {
  on = await startPiston();
});
afterAll(() => on.stop());

type Listed = { language: string; version: string; aliases: string[]; runtime?: string };
const get = async (path: string) => (await (await fetch(`${on.base}${path}`)).json()) as Listed[];

test('every language is a runtime, by Piston’s name', async () => {
  const runtimes = await get('/runtimes');
  expect(runtimes).toHaveLength(listLanguages().length);
  const named = (name: string) => runtimes.find(({ language }) => language === name);
  expect(named('c++')).toEqual({
    language: 'c++',
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    aliases: expect.arrayContaining(['cpp', 'g++']),
    runtime: 'gcc',
  });
  expect(named('javascript')?.aliases).toEqual(expect.arrayContaining(['js', 'node-js']));
  expect(named('typescript')?.aliases).toContain('ts');
  expect(named('python')?.aliases).toEqual(expect.arrayContaining(['py', 'python3']));
  expect(named('bash')?.aliases).toContain('sh');
  expect(named('rscript')?.aliases).toContain('r');
  expect(named('sqlite3')?.aliases).toContain('sql');
});

test('no name leads to two of them', () => {
  const names = listRuntimes().flatMap(({ language, aliases }) => [language, ...aliases]);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test('packages are there, and stay', async () => {
  const { version } = listRuntimes().find(({ language }) => language === 'python') ?? {};
  expect(await get('/packages')).toContainEqual({
    language: 'python',
    language_version: version,
    installed: true,
  });
  const known = { language: 'python', version: '3.x' };
  const added = await on.post('/packages', known);
  expect([added.status, await added.json()]).toEqual([200, { language: 'python', version }]);
  const removed = await on.post('/packages', known, { method: 'DELETE' });
  expect([removed.status, await removed.json()]).toEqual([
    403,
    { message: expect.stringContaining('stays') },
  ]);
});

test.each(['POST', 'DELETE'])('%s of a package that is not there', async (method) => {
  const ask = async (body: unknown) => {
    const answer = await on.post('/packages', body, { method });
    return [answer.status, ((await answer.json()) as { message: string }).message];
  };
  expect(await ask({ language: 'python', version: '1.0.0' })).toEqual([
    404,
    'Requested package python-1.0.0 does not exist',
  ]);
  expect(await ask({ language: 'klingon', version: '*' })).toEqual([
    404,
    'Requested package klingon-* does not exist',
  ]);
  expect(await ask({ language: 5 })).toEqual([400, expect.stringContaining('language')]);
});
