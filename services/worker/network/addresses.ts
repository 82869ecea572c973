export const numberOf = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

export const dotted = (address: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');

/** The first and the last address of a subnet as in `10.213.4.8/29`. */
export function rangeOf(subnet: string): { first: number; last: number } {
  const [address = '', bits = ''] = subnet.split('/');
  const first = numberOf(address);
  return { first, last: first + 2 ** (32 - Number(bits)) - 1 };
}
