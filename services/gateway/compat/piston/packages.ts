import { badField, Problem } from '../../../../shared/problems.ts';
import type { App } from '../../http/mount.ts';
import type { CompatParts } from '../protocol.ts';
import { type Fields, readFields } from './body.ts';
import { findRuntime, listRuntimes, type Runtime } from './languages.ts';

/** `GET /runtimes`, and packages: a language's image is pulled when it is first used, so each of them is there. */
export function mountPackages(app: App, { env }: CompatParts): void {
  const runtimes = '/piston/api/v2/runtimes';
  app.get(runtimes, (c) => {
    c.set('route', runtimes);
    return c.json(
      listRuntimes().map(({ language, version, aliases, runtime }) => ({
        language,
        version,
        aliases,
        ...(runtime !== undefined && { runtime }),
      })),
    );
  });

  const packages = '/piston/api/v2/packages';
  app.get(packages, (c) => {
    c.set('route', packages);
    return c.json(
      listRuntimes().map(({ language, version }) => ({
        language,
        language_version: version,
        installed: true,
      })),
    );
  });
  app.post(packages, async (c) => {
    c.set('route', packages);
    const { language, version } = packageIn(await readFields(c, env.RUNLET_MAX_BODY_BYTES));
    return c.json({ language, version });
  });
  app.delete(packages, async (c) => {
    c.set('route', packages);
    const { language, version } = packageIn(await readFields(c, env.RUNLET_MAX_BODY_BYTES));
    throw new Problem('forbidden', `${language}-${version} belongs to the server, and stays.`);
  });
}

/** A name is shown in the answer, so it is not longer than one. */
const maxNameCharacters = 128;

function packageIn(fields: Fields): Runtime {
  for (const name of ['language', 'version']) {
    const value = fields[name];
    if (value !== undefined && (typeof value !== 'string' || value.length > maxNameCharacters))
      throw badField(name, `must be a text of at most ${maxNameCharacters} characters`);
  }
  const { language, version } = fields as { language?: string; version?: string };
  const found = findRuntime(language ?? '', version ?? '');
  if (found === undefined)
    throw new Problem('not_found', `Requested package ${language}-${version} does not exist`);
  return found;
}
