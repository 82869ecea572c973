import type { Worker } from '../../../shared/contracts/worker.ts';
import { familiarName, imageIdIn, mayBeIdOf } from '../../../shared/images.ts';
import type { WorkerStore } from '../../../shared/stores/workers.ts';
import type { ImageProvider } from '../images/image-provider.ts';

export type OtherWorkers = ReturnType<typeof createOtherWorkers>;

/** What is known of the other workers, as they last said. */
export function createOtherWorkers(options: {
  workers: Pick<WorkerStore, 'list' | 'listWithImages'>;
  /** Of this worker. */
  images: Pick<ImageProvider, 'has'>;
  workerId: string;
}) {
  const { workers, images, workerId } = options;
  return {
    list: async (): Promise<Worker[]> => (await workers.list()).filter(({ id }) => id !== workerId),

    /**
     * Whether a run of this image is for one of them: an image that is named by its id cannot be pulled, so only a worker that has it can
     * run it.
     */
    async aloneHave(image: string | undefined): Promise<boolean> {
      if (image === undefined || imageIdIn(image) === undefined) return false;
      if (await images.has(familiarName(image))) return false;
      const all = await workers.listWithImages().catch(() => []);
      return all.some(
        ({ worker, images: theirs }) =>
          worker.id !== workerId && worker.status === 'ready' && theirs.some((one) => mayBeIdOf(image, one)),
      );
    },
  };
}
