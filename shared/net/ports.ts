/** @param text for example `80,443,1024-65535`. Throws if it is not a list of ports. */
export function portPolicy(text: string): (port: number) => boolean {
  const ranges = text.split(',').map((part) => {
    const [, from, to = from] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    const range = { from: Number(from), to: Number(to) };
    if (!(range.from >= 1 && range.to <= 65_535 && range.from <= range.to))
      throw new Error(`"${part}" is no port and no range of ports`);
    return range;
  });
  return (port) => ranges.some(({ from, to }) => port >= from && port <= to);
}
