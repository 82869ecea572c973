const powers: Record<string, number> = { '': 0, k: 1, m: 2, g: 3, t: 4 };

/** `64m`, `1.5g`, `512KiB`, `1048576` in bytes. Units are powers of 1024, as in `docker run --memory`. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s?(?:([kmgt]?)(?:i?b)?)$/i.exec(text);
  const power = powers[match?.[2]?.toLowerCase() ?? ''];
  if (!match || power === undefined) throw new Error('Give a size like 64m, 1g, 512k, or a number of bytes.');
  const bytes = Number(match[1]) * 1024 ** power;
  if (!Number.isSafeInteger(bytes)) throw new Error('Give a size that is a whole number of bytes.');
  return bytes;
}
