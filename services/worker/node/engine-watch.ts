import type { Log } from '../../../shared/log.ts';
import type { DiskQuotas, Engine, EngineInfo } from '../engine/engine.ts';
import type { ImageSummary } from '../engine/images.ts';

/** The list of images is read anew so often, and after each pull. */
const imagesEveryMs = 30_000;

/** Whether the engine answers, what it is, and which images it has. */
export function createEngineWatch(options: {
  engine: Engine;
  /** Called when it was away, and answers again: it may be another one, with other runtimes. */
  onBack: () => void;
  log: Log;
}) {
  const { engine, log } = options;
  let info: EngineInfo | undefined;
  let quotas: DiskQuotas | undefined;
  let answers = false;
  let images: ImageSummary[] = [];
  let imagesReadAt = 0;

  return {
    /** Resolves when it is known. `imagesRead`: the list of images was due. */
    async look(): Promise<{ imagesRead: boolean }> {
      try {
        const isBack = info !== undefined && !answers;
        if (info === undefined || !answers) {
          info = await engine.info();
          quotas = await engine.diskQuotas({ again: isBack });
        } else await engine.ping();
        if (isBack) options.onBack();
        if (!answers) log.info({ engine: info.version }, 'engine answers');
        answers = true;
      } catch (error) {
        if (answers) log.error({ reason: (error as Error).message }, 'engine does not answer');
        answers = false;
        return { imagesRead: false };
      }
      if (Date.now() - imagesReadAt < imagesEveryMs) return { imagesRead: false };
      imagesReadAt = Date.now();
      images = await engine.images.list().catch(() => images);
      return { imagesRead: true };
    },
    /** They are read anew at the next look. */
    imagesChanged(): void {
      imagesReadAt = 0;
    },
    answers: () => answers,
    images: () => images,
    /** What it holds to a size by itself; `undefined`: it has not answered yet. */
    quotas: () => quotas,
    /** As it last answered; `undefined`: it has not yet. */
    info: () => info,
  };
}
