/** An honest manifest names a few other places at most. */
const maxLinks = 64;
/** How many images of an index are looked at. */
const maxImages = 4;

export type ManifestLeads = {
  /** URLs from which some engines fetch parts before they ask the registry (`urls` of a descriptor, OCI image specification). */
  links: string[];
  /** Digests of an index's images that the platform does not rule out. */
  images: string[];
};

type Fits = (platform: { os: string; architecture: string }) => boolean;

/**
 * Where a manifest leads. Engines ignore the case of field names, and take the last of two equal fields, so every field is looked at.
 * Throws a RangeError where it leads to more places than any honest manifest.
 */
export function leadsOf(manifest: unknown, fits: Fits): ManifestLeads {
  const links = new Set<string>();
  const images = new Set<string>();
  const left = [manifest];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, one] of Object.entries(value)) {
      left.push(one);
      if (!Array.isArray(one)) continue;
      if (/^urls$/i.test(name)) for (const url of one) if (typeof url === 'string') links.add(url);
      if (/^manifests$/i.test(name))
        for (const each of one) for (const digest of imageIn(each, fits)) images.add(digest);
    }
  }
  if (links.size > maxLinks) throw new RangeError(`more than ${maxLinks} URLs`);
  return { links: [...links], images: [...images].slice(0, maxImages) };
}

function imageIn(entry: unknown, fits: Fits): string[] {
  const digest = field(entry, 'digest');
  const platform = field(entry, 'platform');
  const os = field(platform, 'os');
  const architecture = field(platform, 'architecture');
  if (typeof digest !== 'string' || !/^sha256:[a-f0-9]{64}$/.test(digest)) return [];
  const isOther = typeof os === 'string' && typeof architecture === 'string' && !fits({ os, architecture });
  return isOther ? [] : [digest];
}

function field(of: unknown, name: string): unknown {
  if (typeof of !== 'object' || of === null) return undefined;
  return Object.entries(of).findLast(([key]) => key.toLowerCase() === name)?.[1];
}
