import { z } from 'zod';
import { imagesToBuild } from '../../../shared/contracts/run-language.ts';
import { listLanguages } from '../../../shared/languages/index.ts';
import { ok } from '../http/answers.ts';
import { bearer, jsonResponse, problems } from '../http/describe.ts';
import { type App, mount } from '../http/mount.ts';

const listed = z
  .object({
    name: z.string(),
    version: z.string().meta({ description: 'Semver; `language: "name@range"` must take it in.' }),
    aliases: z.array(z.string()),
    image: z.string(),
    compiled: z.boolean().meta({ description: 'Whether runs have a step `compile`.' }),
    fileName: z.string().meta({ description: 'What `code` is called in the work folder.' }),
  })
  .meta({ id: 'Language' });

export function mountLanguages(app: App): void {
  mount(
    app,
    { maxBodyBytes: 0 },
    {
      method: 'get',
      path: '/v1/languages',
      document: {
        tags: ['Languages'],
        security: bearer,
        operationId: 'listLanguages',
        summary: 'List the languages that code can be run in',
        description: `A worker pulls their images where it does not have them. ${imagesToBuild}`,
        responses: {
          200: jsonResponse('All of them.', z.object({ data: z.array(listed) }).meta({ id: 'LanguageList' })),
          ...problems(400),
        },
      },
    },
    () =>
      ok({
        data: listLanguages().map(({ name, version, aliases, image, compile, fileName }) => ({
          name,
          version,
          aliases,
          image,
          compiled: compile !== undefined,
          fileName,
        })),
      }),
  );
}
