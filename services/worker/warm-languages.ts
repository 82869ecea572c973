import { runRequestSchema } from '../../shared/contracts/run-request.ts';
import { familiarName } from '../../shared/images.ts';
import { listLanguages } from '../../shared/languages/index.ts';
import type { Log } from '../../shared/log.ts';
import type { Engine, EngineInfo } from './engine/engine.ts';
import { checkPlatform } from './engine/platform.ts';
import type { Sandboxes } from './sandboxes.ts';

/** What a request for a language comes with when it says nothing about limits. */
const schema = runRequestSchema({
  limits: {
    timeoutMs: 3_600_000,
    memoryBytes: 2 ** 50,
    cpus: 1024,
    pids: 1_000_000,
    outputBytes: 2 ** 28,
    diskBytes: 2 ** 50,
  },
  allowWritable: true,
  allowEgress: true,
  registries: [],
});

/**
 * Keeps a sandbox ready for each language whose image lies on the engine; called anew when its images change. No image is
 * pulled for it: a node has the languages that its users use.
 */
export async function warmLanguages(
  engine: Engine,
  info: EngineInfo,
  sandboxes: Sandboxes,
  log: Log,
): Promise<void> {
  sandboxes.pool.unpinAll();
  for (const { name, image: reference } of listLanguages()) {
    try {
      const familiar = familiarName(reference);
      const image = await engine.inspectImage(familiar);
      if (image === null || checkPlatform(image, info, familiar) !== null) continue;
      sandboxes.pin(schema.parse({ language: name, code: ' ' }), image, familiar);
    } catch (error) {
      log.warn({ language: name, reason: (error as Error).message }, 'language is not kept warm');
    }
  }
}
