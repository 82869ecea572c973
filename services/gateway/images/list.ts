import type { Image } from '../../../shared/contracts/worker.ts';
import type { Gateway } from '../gateway.ts';

export type ImageListParts = Pick<Gateway, 'workers'>;

/** The images of all workers: one entry for each name and content, with who has it. */
export async function allImages(gateway: ImageListParts): Promise<Image[]> {
  const union = new Map<string, Image>();
  for (const { worker, images } of await gateway.workers.listWithImages()) {
    for (const image of images) {
      const key = keyOfImage(image);
      const known = union.get(key);
      if (known === undefined) union.set(key, { ...image, workers: [worker.id] });
      else if (!known.workers.includes(worker.id)) known.workers.push(worker.id);
    }
  }
  return [...union.values()];
}

export const keyOfImage = ({ reference, id }: Pick<Image, 'reference' | 'id'>) => `${reference} ${id}`;
