import { imageIdIn, parseImageReference } from '../../../shared/images.ts';
import type { Gateway } from '../gateway.ts';

type FreeNameParts = Pick<Gateway, 'services'>;

/** A name has 63 characters at most, as a part of a host name; what follows the image's takes 13 of them. */
const maxImageName = 50;

/**
 * A name for a service whose request has none: the last part of its image's name and the random end of its id, which
 * has no `_`: a host name may not have one. The short end is enough but once in a while.
 */
export async function freeName(
  gateway: FreeNameParts,
  tenant: string,
  image: string,
  id: string,
): Promise<string> {
  const start = nameIn(image);
  const short = `${start}-${id.slice(-4)}`;
  const isTaken = (await gateway.services.byName(tenant, short)) !== undefined;
  return isTaken ? `${start}-${id.slice(-12)}` : short;
}

function nameIn(image: string): string {
  const repository = imageIdIn(image) === undefined ? parseImageReference(image)?.repository : undefined;
  const name = (repository?.split('/').at(-1) ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, maxImageName)
    .replace(/^-+|-+$/g, '');
  return name === '' ? 's' : name;
}
